// Figures. Each draws the records that the filters keep, in the room that there is.
"use strict";

const PANEL = 230; // the least width of a small multiple
const AXIS = 60; // what the labels left of the first one take; longer ones are seen to afterwards
const LETTER = 7; // of a legend, with room to spare
const LINE = 16; // of a label that stands above its row

const payload = JSON.parse(document.getElementById("data").textContent);
const chosen = {}; // of figures that show one combination of values at a time

const menus = (name) => [...document.querySelectorAll(`[data-choice="${name}"]`)];

// The records of one value of each menu; a menu offers the values that those before it leave.
function choose(name, records) {
  const wanted = (chosen[name] ?? "").split(",");
  return menus(name).reduce((kept, menu, i) => {
    const { column } = menu.dataset;
    const values = [...new Set(kept.map((record) => record[column]))];
    const value = values.includes(wanted[i]) ? wanted[i] : values[0];
    menu.replaceChildren(...values.map((v) => new Option(v, v, false, v === value)));
    menu.parentElement.hidden = !values.length;
    return kept.filter((record) => record[column] === value);
  }, records);
}

// Where names of rows would take much of the width, they stand above their rows instead.
function labelled(spec, width, records) {
  const { layer, height } = spec.spec;
  const { y, yOffset } = layer?.find((own) => own.encoding.y?.type === "nominal")?.encoding ?? {};
  if (!y || !height.step) return spec;
  const longest = Math.max(...records.map((record) => `${record[y.field]}`.length));
  if (longest * LETTER < width * 0.3) return spec;
  const beside = new Set(records.map((record) => record[yOffset?.field])).size; // dots of a row
  const half = yOffset ? (beside * height.step) / 2 : 6;
  const gap = LINE / (LINE + 2 * half); // as a share of a row
  const above = {
    ...y,
    scale: { ...y.scale, ...(yOffset ? { paddingInner: gap, paddingOuter: gap } : { padding: 0.8 }) },
    axis: {
      ...y.axis, labelAlign: "left", labelBaseline: "bottom", labelOffset: -half, labelPadding: -3,
      labelLimit: 0, ticks: false,
    },
  };
  const layers = layer.map((own) =>
    own.encoding.y?.field === y.field ? { ...own, encoding: { ...own.encoding, y: above } } : own,
  );
  const step = yOffset ? height.step : LINE + 2 * half;
  return { ...spec, spec: { ...spec.spec, layer: layers, height: { step } } };
}

// Small multiples: where they are of graphs, each setting begins a row.
function fitted(whole, width, records) {
  if (!whole.facet?.field || !whole.columns) return whole;
  if (typeof whole.spec.width !== "number") return width < 600 ? { ...whole, columns: 1 } : whole;
  const spec = labelled(whole, width, records);
  const beside = spec === whole ? AXIS : 0;
  const count = (name) => new Set(records.map((record) => record[name])).size;
  const space = spec.spacing?.column ?? 20; // between two
  const most = Math.max(1, Math.floor((width - beside + space) / (PANEL + space)));
  const [graphs, panels] = [count("dataset"), count(spec.facet.field)];
  const ofGraphs = records.every((record) => record.panel.startsWith(record.dataset));
  const inRows = ofGraphs && graphs > 1 ? Math.ceil(graphs / Math.ceil(graphs / most)) : panels;
  const columns = Math.min(most, inRows);
  const room = Math.floor((width - beside + space) / Math.max(columns, Math.min(most, 3))) - space;
  return { ...spec, columns, spec: { ...spec.spec, width: Math.max(160, room) } };
}

async function draw(box, keep) {
  const name = box.dataset.figure;
  const { spec, choices } = payload.figures[name];
  const datasets = {};
  for (const [source, records] of Object.entries(spec.datasets ?? {})) {
    const kept = records.filter(keep);
    datasets[source] = choices.length ? choose(name, kept) : kept;
  }
  const records = Object.values(datasets).flat();
  if (spec.datasets && !records.length) {
    box.replaceChildren(nothing(Object.values(spec.datasets).flat()));
    box.view = null;
    return;
  }
  const room = box.clientWidth - 20;
  await embed(box, fitted(spec, room, records), datasets, room);
  const excess = () => box.scrollWidth - box.clientWidth; // of long labels
  const left = room - excess();
  if (left < room) await embed(box, fitted(spec, left, records), datasets, room);
  if (excess() > 0) await embed(box, fitted(spec, left, records), datasets, 0);
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");

// The specification with the colours for the ground that the page has now.
function coloured({ datasets, ...spec }) {
  const swap = (colour) => (dark.matches && payload.dark[colour]) || colour;
  return JSON.parse(JSON.stringify(spec).replace(/#[0-9a-f]{6}\b/g, swap));
}

// Draws into the box; on a narrow page the legend has as many columns as fit the width.
async function embed(box, spec, datasets, width) {
  const { legend } = payload.config;
  const names = Object.values(datasets).flat().map((record) => record.kind ?? "");
  const longest = Math.max(...names.map((name) => name.length), 8);
  const columns = Math.max(1, Math.floor(width / (longest * LETTER + 30)));
  const narrow = { columns, layout: { top: { ...legend.layout.top, direction: "vertical" } } };
  const { view } = await vegaEmbed(box, { ...coloured(spec), datasets }, {
    renderer: "svg",
    logLevel: 1, // errors: a filter may well leave a mark without records
    config: { ...payload.config, legend: { ...legend, ...(width < 500 ? narrow : {}) } },
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: box.dataset.figure,
  });
  const menu = box.querySelector("summary");
  menu.title = menu.ariaLabel = "save this figure";
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

// What stands in place of a figure that has none of the records that are shown.
function nothing(records) {
  const settings = new Set(records.map((record) => record.setting).filter(Boolean));
  const only = settings.size === 1 ? ` This figure has ${[...settings][0]} runs only.` : "";
  return `Nothing to show for these filters.${only}`;
}
