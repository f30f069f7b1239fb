-- Why a person or program asked a job to end.

ALTER TABLE pipeline.task ADD COLUMN cancel_reason text;
