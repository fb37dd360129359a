// Filters and tables. The state is that of the controls; the address' hash keeps it.

const DIMENSIONS = ["dataset", "setting", "teacher", "method"];
const form = document.getElementById("filters");
const group = document.getElementById("group");
const body = document.getElementById("table").tBodies[0];
const headings = [...document.querySelectorAll("#table th[data-column]")];
const rows = [...body.rows];
const columns = Object.fromEntries(headings.map((heading, i) => [heading.dataset.column, i]));
const differences = Object.keys(columns).filter((name) => name.startsWith("minus-"));
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
  return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
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

// ---- what is said of what is shown
const place = ({ dataset }) => [dataset.dataset, dataset.setting, dataset.teacher].join(", ");

function tell() {
  const shown = rows.filter((row) => !row.hidden);
  const title = group.selectedOptions[0].text;
  const all = rows.filter((row) => row.dataset.group === group.value).length;
  document.getElementById("shown").textContent =
    `${shown.length} of ${all} configurations shown: ${title}.`;
  overview(shown);
  const notes = new Set(shown.flatMap((row) => row.dataset.notes.split(" ")));
  for (const item of document.querySelectorAll("[data-note]")) {
    item.hidden = !notes.has(item.dataset.note);
  }
  for (const name of ["failures", "warnings"]) {
    const part = document.getElementById(name);
    const count = part.querySelectorAll("tbody tr:not([hidden])").length;
    part.querySelector("summary span").textContent = count;
  }
}

// Means per method over the places that all of the methods shown have.
function overview(shown) {
  const methods = new Map();
  for (const row of shown) {
    const { method } = row.dataset;
    methods.set(method, (methods.get(method) ?? new Map()).set(place(row), row));
  }
  const all = [...new Set(shown.map(place))];
  const common = all.filter((each) => [...methods.values()].every((found) => found.has(each)));
  const lines = boxes("method")
    .filter((box) => methods.has(box.value))
    .map((box) => summary(box, common.map((each) => methods.get(box.value).get(each))));
  const section = document.getElementById("overview");
  section.querySelector("tbody").replaceChildren(...(common.length ? lines : []));
  section.querySelector(".caption").textContent =
    `Means over the ${common.length} of ${all.length} combinations of graph, setting and teacher`
    + ` that all methods shown have; differences in points, paired over seeds.`;
}

function summary(box, found) {
  const line = document.createElement("tr");
  const mean = (column, digits, scale = 1) => {
    const values = found.map((row) => value(row, column)).filter((each) => each !== "");
    const sum = values.reduce((a, b) => a + b, 0);
    return values.length ? ((scale * sum) / values.length).toFixed(digits) : "";
  };
  const signed = (text) => (text && Number(text) >= 0 ? `+${text}` : text);
  const rivals = (row) => (other) =>
    other !== row && other.dataset.group === group.value && place(other) === place(row);
  const contested = found.filter((row) => rows.some(rivals(row)));
  const ahead = contested.filter((row) => row.dataset.mark === "best").length;
  const cells = [
    box.value,
    contested.length ? `${ahead} of ${contested.length}` : "",
    ...differences.map((column) => signed(mean(column, 2, 100))),
    mean("agreement", 3),
    mean("student-seconds", 1),
  ];
  cells.forEach((text, i) => {
    const cell = line.insertCell();
    cell.textContent = text;
    if (i) cell.className = "number";
  });
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.setProperty("--colour", box.parentElement.style.getPropertyValue("--colour"));
  line.cells[0].append(" ", swatch);
  return line;
}

// ---- all of it
function arrange(keep) {
  for (const element of document.querySelectorAll("[data-group]")) {
    element.hidden = !keep(element.dataset);
  }
  rule();
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

form.addEventListener("change", apply);
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
    chosen[select.dataset.choice] = select.value;
    save();
    drawAll(filter());
  });
}
document.querySelector("main").addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault(); // the hash is the filters'
  goTo(decodeURIComponent(link.hash.slice(1)));
});
window.addEventListener("hashchange", () => show(location.hash.slice(1)));
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
