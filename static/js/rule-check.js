// Checks an incentive rule while it is typed. Works on every <textarea data-rule-check="URL">:
// posts {document, subnet} and shows the problems and warnings, each with the place it stands at.
document.querySelectorAll("textarea[data-rule-check]").forEach((area) => {
  "use strict";
  const report = document.createElement("div");
  report.className = "rule-report";
  report.setAttribute("role", "status");
  area.insertAdjacentElement("afterend", report);
  let timer = 0;
  let asked = 0;

  function line(text, className) {
    const place = document.createElement("p");
    place.className = className;
    place.textContent = text;
    return place;
  }

  function lines(found, className) {
    return found.map((p) => line(`${p.pointer || "document"}: ${p.message || p.detail}`, className));
  }

  function show({ problems, warnings = [], digest = "" }) {
    const verdict = warnings.length ? "Valid, with warnings. Read them before you publish it." : "Valid. It can be published.";
    report.replaceChildren(
      ...lines(problems, "rule-problem"),
      ...(problems.length ? [] : [line(verdict, "rule-valid")]),
      ...lines(warnings, "rule-warning"),
      ...(digest ? [line(`SHA-256 ${digest}`, "rule-digest")] : [])
    );
    // Whoever sees the warnings here need not be shown them again; what the page itself showed is stale now.
    const warned = area.form.querySelector("[name=warned]");
    if (warned) warned.value = digest;
    area.form.querySelectorAll("[data-rule-warnings]").forEach((stale) => stale.remove());
  }

  async function check() {
    const mine = ++asked;
    const token = area.form.querySelector("[name=csrfmiddlewaretoken]");
    const subnet = area.form.querySelector("[name=subnet], [name=subnet_tried]");
    try {
      const answer = await fetch(area.dataset.ruleCheck, {
        method: "POST",
        credentials: "same-origin",
        headers: { "X-CSRFToken": token ? token.value : "" },
        body: new URLSearchParams({ document: area.value, subnet: subnet ? subnet.value : "" }),
      });
      if (mine !== asked) return;
      // A refusal of the whole request (signed out, too long) comes as a problem too.
      show(await answer.json());
    } catch {
      if (mine === asked) report.replaceChildren(line("Not checked: the server did not answer.", "rule-problem"));
    }
  }

  area.addEventListener("input", () => {
    // Backtests replay what is saved; whoever typed since is told so.
    document.querySelectorAll("[data-unsaved]").forEach((note) => { note.hidden = area.value === area.defaultValue; });
    clearTimeout(timer);
    timer = setTimeout(check, 400);
  });
  check();
});
