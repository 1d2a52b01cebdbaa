// Fills parts of a page: <div data-part="URL"> gets what the URL answers, and is asked for again every second
// while the answer holds an element with data-again. Without this script the div holds a link, or the page reloads.
document.querySelectorAll("[data-part]").forEach((place) => {
  "use strict";
  const EVERY_MS = 1000;
  const SLOW_MS = 5000; // after a failed try: the server may be restarting

  async function fill() {
    let wait = SLOW_MS;
    try {
      const answer = await fetch(place.dataset.part, { headers: { "X-Part": "1" }, credentials: "same-origin" });
      if (answer.ok && !answer.redirected) {
        place.innerHTML = await answer.text();
        if (!place.querySelector("[data-again]")) return;
        wait = EVERY_MS;
      } else if (answer.status < 500) {
        return;
      }
    } catch {
      // Asked again below.
    }
    setTimeout(fill, wait);
  }

  if (!place.querySelector("[data-again]")) fill();
  else setTimeout(fill, EVERY_MS);
});
