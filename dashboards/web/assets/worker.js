"use strict";
// Keeps the page of a visit, and what it is made of, for when there is no net. Nothing else is kept, and nothing is sent.
const KEPT = "visit";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const path = new URL(url).pathname;
  if (method === "GET" && (/^\/reviews\/\d+\/visit$/.test(path) || path.startsWith("/assets/"))) {
    event.respondWith(answered(event.request, path));
  }
});

async function answered(request, path) {
  const cache = await caches.open(KEPT);
  try {
    const fresh = await fetch(request);
    if (fresh.ok && !fresh.redirected) await cache.put(path, fresh.clone());
    return fresh;
  } catch (error) {
    const kept = await cache.match(path);
    if (kept) return kept;
    throw error;
  }
}
