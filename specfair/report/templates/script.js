(() => {
  "use strict";
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const form = document.querySelector("form.filter");
  const field = (name) => form.elements.namedItem(name);

  const about = (element, dataset, group, decision) => {
    const own = element.dataset;
    const groups = own.groups ? JSON.parse(own.groups) : own.group ? [own.group] : [];
    return (!dataset || !own.dataset || own.dataset === dataset)
      && (!group || !groups.length || groups.includes(group))
      && (!decision || !own.decision || own.decision === decision);
  };

  const apply = () => {
    const chosen = ["dataset", "group", "decision"].map((name) => field(name).value);
    const shown = (element) => { const yes = about(element, ...chosen); element.classList.toggle("away", !yes); return yes; };
    const checks = all(".checks tr[data-decision]");
    const n = checks.filter(shown).length;
    all(".card[data-decision], .panel, details.table[data-dataset], tr[data-group], tr.check").forEach(shown);
    form.querySelector("output").textContent = chosen.some(Boolean) ? `${n} of ${checks.length} checks` : "";
  };

  const reveal = (element) => {
    for (const inside of all("details", element).slice(0, element.matches("tr.check") ? 1 : 0)) inside.open = true;
    for (let box = element.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    element.scrollIntoView({ block: "center" });
  };

  const follow = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    all(".found").forEach((element) => element.classList.remove("found"));
    const check = name && document.getElementById(name);
    const options = [...field("dataset").options].map((option) => option.value);
    if (!check && options.includes(name)) field("dataset").value = name;
    if (check && check.dataset.decision) {
      const groups = JSON.parse(check.dataset.groups);
      field("dataset").value = check.dataset.dataset;
      field("group").value = groups.length === 1 ? groups[0] : "";
      field("decision").value = "";
      check.classList.add("found");
    }
    apply();
    if (check && check.dataset.decision) reveal(check);
  };

  const key = (row, i) => {
    const text = row.cells[i].textContent.trim().replace(/\u2212/g, "-");
    const number = parseFloat(text.replace(/,/g, "").replace(/^at (most|least) /, ""));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
  const sortable = (table) => all("thead th", table).forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => compare(key(a, i), key(b, i)) * (down ? -1 : 1)));
    });
  });

  all("table.sortable").forEach(sortable);
  if (!form) return;
  form.hidden = false;
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", follow);
  follow();
})();
