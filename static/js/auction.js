// Keeps an auction's page true without reload: server-sent events, and a poll every 10 s where they do not come.
// An answer older than what is shown is dropped; amounts are strings of rao and stay exact (BigInt).
(function () {
  "use strict";
  const root = document.getElementById("auction");
  if (!root || root.dataset.state !== "open") return;
  const part = (name) => root.querySelector(`[data-role=${name}]`);
  const price = part("price");
  const priceBox = price.parentElement;
  // A price that falls does so without a new version.
  const falls = root.dataset.format === "dutch";
  const waits = window.serverClock.left(root.dataset.opensAt) > 0;
  let version = Number(root.dataset.version);
  let lastHeard = Date.now();
  let stream = null;
  const SAMPLES = 4; // of the server's clock; the quickest counts
  const RESYNC_MS = 300000;

  function tao(rao) {
    const whole = rao / 1000000000n;
    const decimals = String(rao % 1000000000n).padStart(9, "0").replace(/0+$/, "");
    const grouped = String(whole).replace(/\B(?=(\d{3})+$)/g, "\u202f");
    return decimals ? `${grouped}.${decimals}` : grouped;
  }

  function show(data) {
    lastHeard = Date.now();
    priceBox.classList.remove("is-stale");
    if (waits) {
      // The opening changes the whole page: the bid form, the clock.
      if (window.serverClock.left(root.dataset.opensAt) <= 0) location.reload();
      return;
    }
    if (data.closes_at) root.dataset.closesAt = data.closes_at;
    const isNews = data.version > version || data.state !== root.dataset.state;
    if (!isNews && !(falls && data.version === version)) return;
    version = data.version;
    if (data.price_rao !== null && data.price_rao !== undefined) {
      // The first bid makes a price of the start price: the words change even where the figure does not.
      if (root.dataset.format === "english") part("price-label").textContent = "The price now";
      const words = tao(BigInt(data.price_rao));
      if (words !== price.textContent) {
        price.textContent = words;
        const take = part("take");
        if (take) take.textContent = words;
        if (!falls) {
          priceBox.classList.add("has-moved");
          setTimeout(() => priceBox.classList.remove("has-moved"), 1200);
        }
      }
    }
    if (!isNews) return;
    if (data.price_rao === null && data.bid_count > 0 && root.dataset.format !== "sealed") {
      // Every bid was taken out: the start price stands again, and with it other words. Sealed bids make no price.
      location.reload();
      return;
    }
    if (part("bid-count")) part("bid-count").textContent = data.bid_count;
    if (part("leader")) {
      part("leader").textContent = data.leader_alias
        ? data.leader_alias[0].toUpperCase() + data.leader_alias.slice(1)
        : "Nobody yet";
    }
    part("closes").textContent = window.serverClock.instant(data.closes_at);
    showLocalEnd();
    tellStanding(data);
    const next = part("min-next");
    if (next && data.min_next_rao) next.textContent = tao(BigInt(data.min_next_rao));
    if (data.state !== root.dataset.state) {
      // The end changes the whole page: standing, form and wallet.
      location.reload();
      return;
    }
    refreshLive();
  }

  function showLocalEnd() {
    const place = part("closes-local");
    if (place) place.textContent = `${window.serverClock.local(root.dataset.closesAt)}, your time`;
  }

  // The message is public: the page knows under which name its reader bids, and says at once, in words, who leads.
  function tellStanding(data) {
    const own = root.querySelector("[data-alias]");
    if (!own || !data.leader_alias) return;
    const leads = data.leader_alias === own.dataset.alias;
    if (leads === (own.dataset.leads === "yes")) return;
    own.dataset.leads = leads ? "yes" : "no";
    const more = data.min_next_rao ? ` To lead, bid ${tao(BigInt(data.min_next_rao))} TAO or more.` : "";
    const words = leads ? "You lead." : `You have been outbid.${more}`;
    own.className = leads ? "note" : "note is-bad";
    own.firstElementChild.textContent = words;
    part("said").textContent = words;
  }

  // What a reader should know of the line: nothing while it holds.
  function tellLine(isReached) {
    const isLive = stream && stream.readyState === 1;
    const words = !isReached
      ? "No connection to the market. What stands here may be old; it is asked for again every 10 seconds."
      : "The live line is down. The price is asked for every 10 seconds instead.";
    const place = part("line");
    place.hidden = isReached && (isLive || !window.EventSource || performance.now() < 5000);
    if (!place.hidden && place.textContent !== words) place.textContent = words;
  }

  async function refreshLive() {
    const answer = await fetch(root.dataset.fragment, { credentials: "same-origin" });
    if (!answer.ok) return;
    part("live").innerHTML = await answer.text();
    // A bid that leads or is outbid also moves what stands in the head of the page and beside the form.
    const money = part("live").querySelector("[data-purse]");
    if (!money) return;
    for (const name of ["purse", "available"]) {
      document.querySelectorAll(`[data-role=${name}]`).forEach((place) => (place.textContent = money.dataset[name]));
    }
  }

  async function poll() {
    const sent = performance.now();
    try {
      const answer = await fetch(root.dataset.snapshot, { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const data = await answer.json();
      window.serverClock.learn(data.server_now, performance.now() - sent);
      show(data);
      tellLine(true);
    } catch {
      priceBox.classList.add("is-stale");
      tellLine(false);
    }
  }

  async function sync() {
    window.serverClock.forget();
    for (let n = 0; n < SAMPLES; n += 1) await poll();
  }

  function listen() {
    if (!window.EventSource) return;
    stream = new EventSource(root.dataset.events);
    stream.addEventListener("auction", (event) => {
      try {
        show(JSON.parse(event.data));
      } catch {
        poll();
      }
    });
    // The browser reconnects by itself unless the server refused; then the poll carries on alone.
    stream.onopen = poll;
  }

  showLocalEnd();
  listen();
  sync();
  setInterval(sync, RESYNC_MS);
  setInterval(() => {
    const isOver = window.serverClock.left(root.dataset.closesAt) <= 0;
    if (isOver || Date.now() - lastHeard > 9500 || !stream || stream.readyState !== 1) poll();
  }, 10000);
  // Around the end the state is asked for more often, so that "closing…" does not linger.
  setInterval(() => {
    if (window.serverClock.left(root.dataset.closesAt) <= 0) poll();
  }, 2000);
  document.addEventListener("visibilitychange", () => document.hidden || sync());
  window.addEventListener("focus", sync);
})();
