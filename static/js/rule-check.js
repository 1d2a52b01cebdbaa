// Checks an incentive rule while it is typed. Works on every <textarea data-rule-check="URL">:
// posts {document} and shows the problems, each with the place it stands at.
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

  async function check() {
    const mine = ++asked;
    const token = area.form.querySelector("[name=csrfmiddlewaretoken]");
    try {
      const answer = await fetch(area.dataset.ruleCheck, {
        method: "POST",
        credentials: "same-origin",
        headers: { "X-CSRFToken": token ? token.value : "" },
        body: new URLSearchParams({ document: area.value }),
      });
      if (mine !== asked) return;
      // A refusal of the whole request (signed out, too long) comes as a problem too.
      const { problems } = await answer.json();
      report.replaceChildren(
        ...(problems.length
          ? problems.map((p) => line(`${p.pointer || "document"}: ${p.message || p.detail}`, "rule-problem"))
          : [line("Valid. It can be published.", "rule-valid")])
      );
    } catch {
      if (mine === asked) report.replaceChildren(line("Not checked: the server did not answer.", "rule-problem"));
    }
  }

  area.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, 400);
  });
  check();
});
