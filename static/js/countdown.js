// Counts down to an auction's end on the server's clock, not the reader's.
// Cristian's method: of several answers that carry server_now the one with the shortest round trip tells the time best, and
// it was half a round trip old. Time passes by performance.now(), which nobody can set; the reader's clock is not asked.
(function () {
  "use strict";
  let origin = null; // the server's time when performance.now() was 0
  let bestTrip = Infinity;
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const two = (n) => String(n).padStart(2, "0");
  const clock = {
    // A page is at most as old as its load; a measured round trip replaces that first guess.
    learn(serverNow, tripMs) {
      const server = Date.parse(serverNow);
      if (Number.isNaN(server) || tripMs > bestTrip) return;
      bestTrip = tripMs;
      origin = server + tripMs / 2 - performance.now();
    },
    // Samples that follow count anew: a machine that slept, or quartz that drifts, makes the best of them old.
    forget() {
      bestTrip = Infinity;
    },
    now: () => (origin === null ? Date.now() : origin + performance.now()),
    left(closesAt) {
      return Date.parse(closesAt) - clock.now();
    },
    // An instant as the server writes it (j M Y H:i:s), so that a page reads the same after an update.
    instant(iso) {
      const at = new Date(iso);
      const day = `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
      return `${day} ${[at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":")} UTC`;
    },
    // The same instant as the reader's own clock shows it.
    local(iso) {
      return new Date(iso).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    },
    words(ms) {
      if (ms <= 0) return "closing…";
      const s = Math.floor(ms / 1000);
      const days = Math.floor(s / 86400);
      const rest = `${two(Math.floor(s / 3600) % 24)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
      return days ? `${days} day${days > 1 ? "s" : ""} ${rest}` : rest;
    },
  };
  window.serverClock = clock;

  const seen = document.querySelector("[data-server-now]");
  if (!seen) return;
  const paint = performance.getEntriesByType("navigation")[0];
  clock.learn(seen.dataset.serverNow, paint ? Math.max(0, paint.responseEnd - paint.requestStart) : 500);
  function tick() {
    document.querySelectorAll("[data-closes-at]").forEach((place) => {
      const target = place.querySelector("[data-role=clock]") || (place.children.length > 1 ? null : place);
      if (!target || (place.dataset.state && place.dataset.state !== "open")) return;
      const ms = clock.left(place.dataset.closesAt);
      target.textContent = target === place && ms > 0 ? `in ${clock.words(ms)}` : clock.words(ms);
      target.classList.toggle("is-near", ms < 60000);
    });
  }
  tick();
  setInterval(tick, 1000);
})();
