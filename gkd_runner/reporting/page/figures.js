// Figures. Each draws the records that the filters keep, in the room that there is.
"use strict";

const PANEL = 230; // the least width of a small multiple
const AXES = 75; // what its axis and the space to the next take

const payload = JSON.parse(document.getElementById("data").textContent);
const chosen = {}; // of figures that show one combination of values at a time

const combination = (record, columns) => columns.map((name) => record[name]).join();

function choose(name, records, columns) {
  const select = document.querySelector(`[data-choice="${name}"]`);
  const options = new Map(
    records.map((r) => [combination(r, columns), columns.map((c) => `${c} ${r[c]}`).join(", ")]),
  );
  const value = options.has(chosen[name]) ? chosen[name] : [...options.keys()][0];
  select.replaceChildren(
    ...[...options].map(([each, text]) => new Option(text, each, false, each === value)),
  );
  return records.filter((record) => combination(record, columns) === value);
}

// Small multiples: where they are of graphs, a row per setting if the graphs fit side by side.
function fitted(spec, width, records) {
  if (!spec.facet?.field || !spec.columns || typeof spec.spec.width !== "number") return spec;
  const count = (name) => new Set(records.map((record) => record[name])).size;
  const most = Math.max(1, Math.floor(width / (PANEL + AXES)));
  const [graphs, panels] = [count("dataset"), count(spec.facet.field)];
  const ofGraphs = records.every((record) => record.panel.startsWith(record.dataset));
  const columns = Math.min(most, ofGraphs && graphs > 1 ? graphs : panels);
  const room = Math.floor(width / Math.max(columns, Math.min(most, 3))) - AXES;
  return { ...spec, columns, spec: { ...spec.spec, width: Math.max(160, room) } };
}

async function draw(box, keep) {
  const name = box.dataset.figure;
  const { spec, choices } = payload.figures[name];
  const datasets = {};
  for (const [source, records] of Object.entries(spec.datasets ?? {})) {
    const kept = records.filter(keep);
    datasets[source] = choices.length ? choose(name, kept, choices) : kept;
  }
  const records = Object.values(datasets).flat();
  if (spec.datasets && !records.length) {
    box.replaceChildren("Nothing to show for these filters.");
    box.view = null;
    return;
  }
  const room = box.clientWidth - 20;
  await embed(box, fitted(spec, room, records), datasets, room);
  const excess = box.scrollWidth - box.clientWidth; // of long labels
  if (excess > 0) await embed(box, fitted(spec, room - excess, records), datasets, room);
}

async function embed(box, spec, datasets, width) {
  const { legend } = payload.config;
  const narrow = { columns: 3, layout: { top: { ...legend.layout.top, direction: "vertical" } } };
  const { view } = await vegaEmbed(box, { ...spec, datasets }, {
    renderer: "svg",
    logLevel: 1, // errors: a filter may well leave a mark without records
    config: { ...payload.config, legend: { ...legend, ...(width < 500 ? narrow : {}) } },
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: box.dataset.figure,
  });
  box.view = view;
}

let drawing = Promise.resolve();
let latest = 0;
function drawAll(keep) {
  const mine = ++latest;
  document.documentElement.dataset.ready = "false";
  drawing = drawing.then(async () => {
    for (const box of document.querySelectorAll("[data-figure]")) {
      if (mine !== latest) return; // the filters have changed again
      await draw(box, keep);
      await new Promise((next) => setTimeout(next)); // let the page answer in between
    }
    document.documentElement.dataset.ready = "true";
  });
}
