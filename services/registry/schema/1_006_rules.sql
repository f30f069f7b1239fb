-- Rules of the version manager: what is known of a change, above a threshold, asks for a bump.

CREATE TABLE registry.version_rule (
    name       text             PRIMARY KEY COLLATE "C",
    key        text             NOT NULL,        -- a field of valion.v1.ChangeContext
    threshold  double precision NOT NULL,
    bump       smallint         NOT NULL CHECK (bump BETWEEN 1 AND 4), -- valion.v1.Bump
    position   integer          NOT NULL,        -- the lowest that matches decides
    changed_by text             NOT NULL,
    changed    timestamptz      NOT NULL DEFAULT now()
);

-- Those that come with the program. Who changes or removes one is not overruled: this runs once.
-- What is always true of a new version comes last: it explains a patch and hides nothing.
INSERT INTO registry.version_rule (name, key, threshold, bump, position, changed_by) VALUES
    ('breaking_change',         'breaking_change',         0,   1, 1010, 'valion'),
    ('architecture_change',     'architecture_change',     0,   1, 1020, 'valion'),
    ('input_removed',           'input_removed',           0,   1, 1030, 'valion'),
    ('input_added',             'input_added',             0,   1, 1040, 'valion'),
    ('input_retyped',           'input_retyped',           0,   1, 1050, 'valion'),
    ('unit_changed',            'unit_changed',            0,   1, 1060, 'valion'),
    ('category_removed',        'category_removed',        0,   1, 1070, 'valion'),
    ('output_changed',          'output_changed',          0,   1, 1080, 'valion'),
    ('target_changed',          'target_changed',          0,   1, 1090, 'valion'),
    ('new_feature',             'new_feature',             0,   2, 2010, 'valion'),
    ('performance_improvement', 'performance_improvement', 0.1, 2, 2020, 'valion'),
    ('optional_input_added',    'optional_input_added',    0,   2, 2030, 'valion'),
    ('input_widened',           'input_widened',           0,   2, 2040, 'valion'),
    ('category_added',          'category_added',          0,   2, 2050, 'valion'),
    ('algorithm_changed',       'algorithm_changed',       0,   2, 2060, 'valion'),
    ('bug_fix',                 'bug_fix',                 0,   3, 3010, 'valion'),
    ('data_drift',              'data_drift',              0,   3, 3020, 'valion'),
    ('experimental',            'experimental',            0,   4, 4010, 'valion'),
    ('performance_regression',  'performance_regression',  0,   3, 5010, 'valion'),
    ('hyperparameter_changed',  'hyperparameter_changed',  0,   3, 5020, 'valion'),
    ('artifact_changed',        'artifact_changed',        0,   3, 5030, 'valion');
