-- Crawlers that share a set of what they have seen, so that no page is fetched twice.

local process = require "process"

-- Stands for the web: page n links to two others.
local function links(n)
  return { n * 2 % 100, (n * 3 + 1) % 100 }
end

local todo, fetched = process.JoinableQueue(), process.dict()
local claims = process.dict()

local function crawl()
  for page in todo:items() do
    process.dict.incr(fetched, page)
    for _, link in ipairs(links(page)) do
      -- Of all that find a link at the same time, one gets it.
      if process.dict.compare_and_set(claims, link, nil, process.getpid()) then todo:put(link) end
    end
    todo:task_done()
  end
end

claims[1] = 0
todo:put(1)
local crawlers = {}
for i = 1, 4 do crawlers[i] = process.Process(crawl):start() end
todo:join()
todo:shutdown()
for _, p in ipairs(crawlers) do p:join() end

local twice = 0
for _, times in pairs(fetched) do
  if times > 1 then twice = twice + 1 end
end
local seen = process.set(claims)
print("claimed and fetched", #seen == #fetched, "twice", twice)
print("page 4 was seen", seen:contains(4), "page 100", seen:contains(100))
