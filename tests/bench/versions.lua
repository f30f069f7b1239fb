-- For wrk: asks for a prediction over and over, and counts answers by status and version.
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    counts = {}
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    local file = io.open(args[1], "r")
    wrk.body = file:read("*a")
    file:close()
end

function response(status, headers, body)
    local version = string.match(body, '"model_version":"([^"]*)"') or "none"
    local key = status .. " " .. version
    counts[key] = (counts[key] or 0) + 1
end

function done(summary, latency, requests)
    local all = {}
    for _, thread in ipairs(threads) do
        for key, count in pairs(thread:get("counts")) do
            all[key] = (all[key] or 0) + count
        end
    end
    for key, count in pairs(all) do
        io.write(string.format("answers %s %d\n", key, count))
    end
    local e = summary.errors
    io.write(string.format("requests %d\nfailures connect %d read %d write %d timeout %d status %d\n",
        summary.requests, e.connect, e.read, e.write, e.timeout, e.status))
end
