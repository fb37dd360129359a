// Filters and tables. The state is that of the controls; the address' hash keeps it.

const DIMENSIONS = ["dataset", "setting", "teacher", "method"];
const form = document.getElementById("filters");
const group = document.getElementById("group");
const body = document.getElementById("table").tBodies[0];
const headings = [...document.querySelectorAll("#table th[data-column]")];
const rows = [...body.rows];
const columns = Object.fromEntries(headings.map((heading, i) => [heading.dataset.column, i]));
const filtering = document.getElementById("filtering");
const more = document.getElementById("more");
let sorted = { column: null, direction: null };

const boxes = (name) => [...form.querySelectorAll(`input[name="${name}"]`)];
const checked = (name) => boxes(name).filter((box) => box.checked).map((box) => box.value);

// ---- which records are shown; one that lacks a column belongs to all its values
function filter() {
  const wanted = DIMENSIONS.map((name) => [name, new Set(checked(name))]);
  return (record) =>
    (record.group === undefined || record.group === group.value) &&
    wanted.every(
      ([name, values]) => !values.size || record[name] === undefined || values.has(record[name]),
    );
}

// ---- the address
function save() {
  const state = new URLSearchParams();
  if (group.selectedIndex) state.set("table", group.value);
  for (const name of DIMENSIONS) if (checked(name).length) state.set(name, checked(name).join());
  if (more.checked) state.set("columns", "all");
  if (sorted.column) state.set("sort", `${sorted.column}.${sorted.direction}`);
  for (const [name, value] of Object.entries(chosen)) state.set(name, value);
  history.replaceState(null, "", `#${state}`);
}

function restore(hash) {
  const state = new URLSearchParams(hash);
  group.value = state.get("table") ?? group.options[0].value;
  if (group.selectedIndex < 0) group.selectedIndex = 0;
  for (const name of DIMENSIONS) {
    const values = (state.get(name) ?? "").split(",");
    for (const box of boxes(name)) box.checked = values.includes(box.value);
  }
  if (form.querySelector("input:checked")) filtering.open = true;
  more.checked = state.get("columns") === "all";
  widen();
  const [column, direction] = (state.get("sort") ?? "").split(".");
  sorted = column in columns ? { column, direction } : { column: null, direction: null };
  for (const name of Object.keys(payload.figures)) {
    if (state.has(name)) chosen[name] = state.get(name);
    else delete chosen[name];
  }
}

// ---- the table
function value(row, column) {
  if (DIMENSIONS.includes(column)) return row.dataset[column];
  const cell = row.cells[columns[column]];
  if (headings[columns[column]].classList.contains("number")) {
    return cell.dataset.value ? Number(cell.dataset.value.split(";")[0]) : "";
  }
  return cell.textContent;
}

function widen() {
  document.getElementById("table").classList.toggle("all", more.checked);
}

// The rows that are shown, in their order, with the numbers of every column.
function csv() {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const parts = (text) => text.split(";").filter(Boolean);
  const names = headings.flatMap(({ dataset }) => [dataset.column, ...parts(dataset.ends)]);
  const cells = (row) =>
    headings.flatMap((heading, i) => {
      const { column, ends } = heading.dataset;
      if (DIMENSIONS.includes(column)) return [row.dataset[column]];
      const values = (row.cells[i].dataset.value ?? "").split(";");
      return [column, ...parts(ends)].map((_, n) => values[n] ?? "");
    });
  const shown = [...body.rows].filter((row) => !row.hidden);
  return [names, ...shown.map(cells)].map((line) => `${line.map(quoted).join()}\n`).join("");
}

function saveFile(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

function sort() {
  const sign = sorted.direction === "descending" ? -1 : 1;
  const found = rows.map((row) => [sorted.column ? value(row, sorted.column) : 0, row]);
  found.sort(([a, first], [b, second]) => {
    if ((a === "") !== (b === "")) return a === "" ? 1 : -1; // empty cells last
    if (a !== b) return a < b ? -sign : sign;
    return first.dataset.order - second.dataset.order;
  });
  body.append(...found.map(([, row]) => row));
  for (const heading of headings) {
    const mine = heading.dataset.column === sorted.column;
    heading.ariaSort = mine ? sorted.direction : "none";
  }
}

function order(heading) {
  const { column } = heading.dataset;
  const [first, other] = heading.classList.contains("number")
    ? ["descending", "ascending"]
    : ["ascending", "descending"];
  const again = sorted.column === column && sorted.direction === first;
  sorted = { column, direction: again ? other : first };
  sort();
  rule();
  save();
}

// A line above each graph, setting and teacher, while they stand together.
function rule() {
  let last = null;
  for (const row of body.rows) {
    if (row.hidden) continue;
    row.classList.toggle("first", !sorted.column && last !== null && place(row) !== last);
    last = place(row);
  }
}

// A column that is empty in all rows that are shown is left out.
function leaveOut() {
  const shown = rows.filter((row) => !row.hidden);
  headings.forEach((heading, at) => {
    const empty = shown.length > 0 && shown.every((row) => !row.cells[at].textContent.trim());
    for (const { cells } of [heading.parentElement, ...rows]) {
      cells[at].classList.toggle("empty", empty);
    }
  });
}

// ---- what is said of what is shown
const place = ({ dataset }) => [dataset.dataset, dataset.setting, dataset.teacher].join(", ");

function tell() {
  const shown = rows.filter((row) => !row.hidden);
  const all = rows.filter((row) => row.dataset.group === group.value).length;
  const count = shown.length === all ? `${all} rows` : `${shown.length} of ${all} rows`;
  const box = document.querySelector(".tall");
  const below = box.scrollHeight > box.clientHeight ? "; scroll for more" : "";
  document.getElementById("shown").textContent = `(${count}${below})`;
  const notes = new Set(shown.flatMap((row) => row.dataset.notes.split(" ")));
  for (const item of document.querySelectorAll("[data-note]")) {
    item.hidden = item.dataset.group !== group.value || !notes.has(item.dataset.note);
  }
  for (const name of ["failures", "warnings"]) {
    const part = document.getElementById(name);
    const count = part.querySelectorAll("tbody tr:not([hidden])").length;
    part.querySelector("summary span").textContent = count;
  }
}

// ---- all of it
function arrange(keep) {
  for (const element of document.querySelectorAll("[data-group]")) {
    element.hidden = !keep(element.dataset);
  }
  rule();
  leaveOut();
  tell();
  save();
}

function apply() {
  const keep = filter();
  arrange(keep);
  drawAll(keep);
}

function show(hash) {
  restore(hash);
  sort();
  apply();
}

function goTo(id) {
  const target = document.getElementById(id);
  for (const row of document.querySelectorAll("tr.found")) row.classList.remove("found");
  target.closest("details").open = true;
  target.classList.add("found");
  target.scrollIntoView({ block: "center" });
  target.querySelector("a, td").focus();
}

// A link to a row elsewhere on the page; a button in that row leads back.
function follow(link) {
  document.getElementById("back")?.remove();
  goTo(decodeURIComponent(link.hash.slice(1)));
  const back = document.createElement("button");
  Object.assign(back, { id: "back", type: "button", textContent: "back" });
  back.addEventListener("click", () => {
    back.remove();
    link.scrollIntoView({ block: "center" });
    link.focus();
  });
  document.querySelector("tr.found td").append(" ", back);
}

form.addEventListener("change", apply);
group.addEventListener("change", apply);
more.addEventListener("change", () => {
  widen();
  save();
});
document.getElementById("save").addEventListener("click", () => saveFile(csv(), "results.csv"));
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", (event) => {
  event.preventDefault();
  show("");
});
for (const heading of headings) {
  heading.querySelector("button").addEventListener("click", () => order(heading));
}
for (const select of document.querySelectorAll("[data-choice]")) {
  select.addEventListener("change", () => {
    const name = select.dataset.choice;
    chosen[name] = menus(name).map((menu) => menu.value).join();
    save();
    drawAll(filter());
  });
}
document.querySelector("main").addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault(); // the hash is the filters'
  follow(link);
});
window.addEventListener("hashchange", () => show(location.hash.slice(1)));
dark.addEventListener("change", () => drawAll(filter()));
let windowWidth = window.innerWidth;
let resized;
window.addEventListener("resize", () => {
  if (window.innerWidth === windowWidth) return; // a phone's bars
  windowWidth = window.innerWidth;
  clearTimeout(resized);
  resized = setTimeout(() => drawAll(filter()), 200);
});
restore(location.hash.slice(1));
sort();
arrange(filter());
window.addEventListener("load", () => setTimeout(() => drawAll(filter()))); // words first
