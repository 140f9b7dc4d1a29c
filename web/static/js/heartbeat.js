// A worker that beats: browsers slow the timers of hidden pages down to one a minute, but not a worker's.
setInterval(() => postMessage("beat"), 10_000);
