// Search, filters, sorting and pages of the report. Every text becomes a text node; no markup is made of it.
"use strict";
(() => {
  const PAGE = 200;
  const VERDICT = 0, SOURCE = 1, URI = 2, NAME = 3, URL = 4, OWNERS = 5, AGE = 6, DATED = 7, REVIEWED = 8,
    DUE = 9, TARGET = 10, BY = 11, ITEMS = 12;
  const CODE = 0, HEAD = 1, DETAIL = 2, STATUS = 3, SINCE = 4, REMEDY = 5;
  const NOBODY = "Nobody";

  const find = (selector) => document.querySelector(selector);
  const data = JSON.parse(find("#data").textContent);
  const rows = data.rows;
  const body = find("#rows tbody"), form = find("#filters"), count = find("#count"), more = find("#more");
  const headings = [...document.querySelectorAll("#rows th[data-sort]")];
  const badges = Object.fromEntries([...document.querySelectorAll("footer .badge")]
    .map((badge) => [badge.classList[1], badge]));
  const fields = [...form.elements].filter((field) => field.name);
  const order = {key: "verdict", down: false};
  let matching = [], shown = 0;

  // ── Rows ──────────────────────────────────────────────────────────────────────────────────────────

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children.filter((child) => child !== null && child !== ""));
    return made;
  }
  const small = (text) => text ? element("small", {}, text) : null;

  function badge(verdict) {
    if (verdict) return badges[verdict].cloneNode(true);
    const sign = element("i", {}, "◆");
    sign.ariaHidden = "true";
    return element("span", {className: "badge source"}, sign, " Source");
  }

  function filled(row, [kind, text]) {
    if (kind !== "Command") return text;
    const target = row[TARGET] || `${row[SOURCE]}:${row[URI]}`;
    return text.replace(/\{(document|by)\}/g, (_, name) => name === "document" ? target : row[BY]);
  }

  function item(row, found) {
    const remedy = found[REMEDY];
    const [sentence, lines] = typeof remedy === "number" ? data.remedies[remedy] : remedy;
    const summary = element("summary", {}, element("b", {}, found[HEAD]));
    if (found[STATUS] === "new") summary.append(" ", element("em", {}, "New"));
    if (found[DETAIL]) summary.append(" ", element("span", {}, found[DETAIL]));
    const what = element("div", {className: "do"}, sentence ? element("p", {}, sentence) : null);
    for (const line of lines) {
      const code = element("code", {}, filled(row, line));
      what.append(element("p", {className: "line"}, small(line[0]), " ", code));
    }
    if (found[SINCE]) what.append(element("p", {className: "since"}, `Open since ${found[SINCE]}`));
    return element("li", {className: `item ${found[CODE]}`}, element("details", {}, summary, what));
  }

  function owner(name) {
    const page = Object.hasOwn(data.pages, name) ? data.pages[name] : null;
    return page ? element("a", {href: page}, name || NOBODY) : element("span", {}, name || NOBODY);
  }

  function tr(row) {
    const name = row[URL] ? element("a", {href: row[URL], rel: "noopener noreferrer"}, row[NAME])
      : element("span", {}, row[NAME]);
    const place = [row[SOURCE], row[URI]].filter(Boolean).join(" / ");
    const days = row[AGE] === null ? null
      : element("span", {}, row[AGE] === 1 ? "1 day" : `${row[AGE].toLocaleString("en")} days`);
    const todo = row[ITEMS].length
      ? element("ul", {}, ...row[ITEMS].map((found) => item(row, found)))
      : row[DUE] ? element("span", {className: "due"}, row[DUE]) : null;
    return element("tr", {},
      element("td", {className: "verdict"}, badge(row[VERDICT])),
      element("th", {scope: "row"}, name, small(place), small(row[REVIEWED])),
      element("td", {className: "owner"}, ...(row[OWNERS].length ? row[OWNERS] : [""]).map(owner)),
      element("td", {className: "age"}, days, small(row[DATED])),
      element("td", {className: "todo"}, todo));
  }

  function show(until) {
    const part = document.createDocumentFragment();
    for (; shown < Math.min(until, matching.length); shown++) part.append(tr(rows[matching[shown]]));
    body.append(part);
    const left = matching.length - shown;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(PAGE, left).toLocaleString("en")} more`;
  }

  // ── Filters and order ─────────────────────────────────────────────────────────────────────────────

  const texts = [];
  function text(number) {
    const row = rows[number];
    return texts[number] ??= [row[NAME], row[SOURCE], row[URI], row[REVIEWED], ...row[OWNERS],
      ...row[ITEMS].flatMap((found) => [found[HEAD], found[DETAIL], found[CODE]])].join("\n").toLowerCase();
  }

  const fold = (name) => name.trim().split(/\s+/).join(" ").toLowerCase();

  function matches(number, asked) {
    const row = rows[number];
    if (asked.verdict && row[VERDICT] !== asked.verdict) return false;
    if (asked.owner && !(asked.owner === " " ? row[OWNERS].length === 0
      : row[OWNERS].some((name) => fold(name) === asked.owner))) return false;
    if ((asked.check || asked.status) && !row[ITEMS].some((found) =>
      (!asked.check || found[CODE] === asked.check) && (!asked.status || found[STATUS] === asked.status)))
      return false;
    return asked.words.every((word) => text(number).includes(word));
  }

  const collator = new Intl.Collator("en", {numeric: true, sensitivity: "base"});
  const compare = {
    name: (a, b) => collator.compare(a[NAME], b[NAME]),
    owner: (a, b) => collator.compare(a[OWNERS][0] ?? "", b[OWNERS][0] ?? ""),
    age: (a, b) => (a[AGE] ?? -1) - (b[AGE] ?? -1),
    found: (a, b) => a[ITEMS].length - b[ITEMS].length,
  };
  // Of these, the most comes first.
  const FALLING = ["age", "found"];

  function render() {
    const asked = {owner: "", status: "", ...Object.fromEntries(fields.map((f) => [f.name, f.value]))};
    asked.words = asked.q.toLowerCase().split(/\s+/).filter(Boolean);
    if (asked.owner.trim()) asked.owner = fold(asked.owner);
    matching = [...rows.keys()].filter((number) => matches(number, asked));
    const by = compare[order.key];
    if (by) matching.sort((a, b) => by(rows[a], rows[b]) || a - b);
    if (order.down) matching.reverse();
    body.replaceChildren();
    shown = 0;
    show(PAGE);
    const total = rows.length.toLocaleString("en"), fit = matching.length.toLocaleString("en");
    count.textContent = matching.length === rows.length ? `${total} in all` : `${fit} of ${total}`;
    for (const heading of headings) {
      if (heading.dataset.sort === order.key) heading.ariaSort = order.down ? "descending" : "ascending";
      else heading.removeAttribute("aria-sort");
    }
  }

  // ── The address keeps what is asked for, so that it can be sent ───────────────────────────────────

  function remember() {
    const state = new URLSearchParams(fields.filter((f) => f.value).map((f) => [f.name, f.value]));
    if (order.key !== "verdict" || order.down) state.set("sort", (order.down ? "-" : "") + order.key);
    if (`${state}` || location.hash.includes("=")) history.replaceState(null, "", `#${state}`);
  }

  function recall() {
    const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    for (const field of fields) {
      field.value = state.get(field.name) ?? "";
      // What a list does not have is not asked for.
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    }
    const sort = state.get("sort") ?? "verdict", key = sort.replace(/^-/, "");
    const known = headings.some((heading) => heading.dataset.sort === key);
    order.key = known ? key : "verdict";
    order.down = known && sort.startsWith("-");
    render();
  }

  let waiting = 0;
  function ask() {
    clearTimeout(waiting);
    remember();
    render();
  }

  for (const heading of headings) {
    const button = element("button", {type: "button"}, heading.textContent);
    button.addEventListener("click", () => {
      const key = heading.dataset.sort;
      order.down = order.key === key ? !order.down : FALLING.includes(key);
      order.key = key;
      ask();
    });
    heading.replaceChildren(button);
  }
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, rows.length > 5000 ? 250 : 60);
  });
  form.addEventListener("change", ask);
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  form.addEventListener("reset", () => { Object.assign(order, {key: "verdict", down: false}); setTimeout(ask); });
  more.addEventListener("click", () => {
    const first = shown;
    show(shown + PAGE);
    if (more.hidden) {
      // The button that had the focus is gone.
      const next = body.rows[first].querySelector("th");
      next.tabIndex = -1;
      next.focus();
    }
  });
  addEventListener("hashchange", () => { if (!location.hash || location.hash.includes("=")) recall(); });
  addEventListener("beforeprint", () => {
    show(Infinity);
    for (const details of body.querySelectorAll("details")) details.open = true;
  });
  addEventListener("afterprint", render);

  find("#rest")?.remove();
  document.documentElement.classList.add("script");
  form.hidden = false;
  recall();
})();
