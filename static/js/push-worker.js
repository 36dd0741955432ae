// The service worker: shows what the server tells this browser, and opens the card that it is about. It caches nothing.
const NAME = "Watchkeeper";

/** A place in the product, and nowhere else. */
function place(path) {
  const url = new URL(typeof path === "string" ? path : "/inbox/", self.location.origin);
  return url.origin === self.location.origin ? url.href : new URL("/inbox/", self.location.origin).href;
}

function told(event) {
  try {
    return event.data?.json() ?? {};
  } catch {
    return {};
  }
}

self.addEventListener("push", (event) => {
  const { title, body, path } = told(event);
  const shown = { body: String(body ?? ""), tag: String(path ?? NAME), data: { path } };
  event.waitUntil(self.registration.showNotification(String(title || NAME), shown));
});

async function open(address) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = pages.find((page) => page.url === address);
  return there ? there.focus() : self.clients.openWindow(address);
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(place(event.notification.data?.path)));
});

// A browser renews its address by itself: the page hands the new one in when it is open next.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
