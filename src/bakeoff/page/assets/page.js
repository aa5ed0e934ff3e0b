"use strict";
// Draws the page from its data. The tables are drawn at once; the figures when the library behind this script is there.

const DATA = JSON.parse(document.getElementById("data").textContent);
const WORDS = JSON.parse(document.getElementById("words").textContent);
const state = {
  language: (navigator.language || "en").startsWith("zh") ? "zh" : "en",
  dark: window.matchMedia("(prefers-color-scheme: dark)").matches,
  tables: {},
  x: null, y: "score_mean", log: true,
  curve: "val_top1", hidden: new Set(),
  mistakes: null,
  plotly: false,
};
const PLOT = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
const COSTS = ["params_m", "macs_m", "gpu_hours", "train_hours", "latency_ms", "peak_memory_mb"];
const GOOD = ["score_mean", "top1_mean", "balanced_mean", "macro_f1_mean", "top5_mean", "superclass_top1_mean", "worst_class_top1_mean", "inference_images_per_s", "images_per_s", "param_efficiency"];
const BAD = ["ece_mean", "brier_mean", "loss_mean", "score_sd"];

// --- small things ---------------------------------------------------------------------------------

function say(key, values = {}) {
  const text = WORDS[state.language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// A note on intervals; of a study that grows, with what their level means.
function ofIntervals(text) {
  return DATA.study.looks > 1 ? `${text} ${say("looks_note", { looks: DATA.study.looks })}` : text;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function shown(name) { return DATA.display[name] ?? name; }

function number(value, format, general = 3) {
  if (value === null || value === undefined) return say("missing");
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  if (typeof value !== "number") return String(value);
  let text;
  if (!format || format.general) text = String(Number(value.toPrecision(format ? format.digits : general)));
  else {
    text = value.toLocaleString("en-US", { minimumFractionDigits: format.digits, maximumFractionDigits: format.digits });
    if (!/[1-9]/.test(text)) text = text.replace(/^-/, "");
    if (format.sign && value > 0 && /[1-9]/.test(text)) text = "+" + text;
  }
  return text.replace("-", "\u2212");
}

function records(name) {
  const table = DATA.tables[name];
  if (!table) return [];
  return table.rows.map((row) => Object.fromEntries(table.data.map((column, i) => [column, row[i]])));
}

function column(name, key) { return DATA.tables[name].columns.find((each) => each.name === key); }

function heading(key, table = "models") {
  const found = DATA.tables[table] && column(table, key);
  return found ? found.title[state.language] : key;
}

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function section(id, ...children) {
  return make("section", { id, "aria-labelledby": id + "-title" }, make("h2", { id: id + "-title", text: say(id) }), ...children);
}

function select(label, options, value, change, id) {
  const box = make("select", { id, onchange: (event) => change(event.target.value) });
  for (const [key, text] of options) box.append(make("option", { value: key, text, selected: key === value }));
  return make("label", {}, label + " ", box);
}

// --- tables ---------------------------------------------------------------------------------------

function drawTable(name, title) {
  const table = DATA.tables[name];
  if (!table) return null;
  const view = state.tables[name] ??= {
    sort: null, down: false, filter: "",
    columns: new Set(table.columns.filter((each) => each.shown).map((each) => each.name)),
  };
  const id = "table-" + name.replace(/\W/g, "-");
  const count = make("span", { "aria-live": "polite", class: "note" });
  const body = make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": title });
  const redraw = () => {
    const focused = document.activeElement?.dataset?.sort;
    body.replaceChildren(tableElement(name, table, view, title, redraw, count));
    if (focused) body.querySelector(`[data-sort="${focused}"]`)?.focus();
  };
  const filter = make("input", {
    type: "search", id: id + "-filter", value: view.filter,
    oninput: (event) => { view.filter = event.target.value; redraw(); },
  });
  const choices = make("div", { class: "choices" });
  for (const each of table.columns) {
    choices.append(make("label", {}, make("input", {
      type: "checkbox", checked: view.columns.has(each.name), "data-column": each.name,
      onchange: (event) => { view.columns[event.target.checked ? "add" : "delete"](each.name); redraw(); },
    }), each.title[state.language]));
  }
  redraw();
  return make("div", { id, class: "table" },
    make("div", { class: "controls" }, make("label", {}, say("filter") + " ", filter), count),
    make("details", {}, make("summary", { text: say("columns") }), choices), body);
}

function tableElement(name, table, view, title, redraw, count) {
  const place = Object.fromEntries(table.data.map((key, i) => [key, i]));
  const columns = table.columns.filter((each) => view.columns.has(each.name));
  const text = (row, each) => cellText(row, each, place);
  const wanted = view.filter.trim().toLowerCase();
  let rows = table.rows.map((row, i) => [row, i]).filter(([row]) =>
    !wanted || columns.some((each) => text(row, each).toLowerCase().includes(wanted)));
  if (view.sort) {
    const at = place[view.sort], sign = view.down ? -1 : 1;
    rows.sort(([a, i], [b, j]) => {
      const x = a[at], y = b[at];
      if (x === null || y === null) return (x === null) - (y === null) || i - j;
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return sign * order || i - j;
    });
  }
  count.textContent = say("rows", { shown: rows.length, all: table.rows.length });
  const head = make("tr");
  for (const each of columns) {
    const sorted = view.sort === each.name ? (view.down ? "descending" : "ascending") : "none";
    const label = each.title[state.language];
    head.append(make("th", { scope: "col", "aria-sort": sorted, class: each.format ? "number" : null },
      make("button", {
        type: "button", text: label, title: say("sort", { column: label }), "data-sort": each.name,
        onclick: () => {
          if (view.sort === each.name) view.down = !view.down;
          else { view.sort = each.name; view.down = Boolean(each.format); }
          redraw();
        },
      })));
  }
  const body = make("tbody");
  for (const [row] of rows) {
    const line = make("tr");
    for (const each of columns) line.append(cell(name, table, row, each, place));
    body.append(line);
  }
  return make("table", {}, make("caption", { text: title + " · " + table.file }), make("thead", {}, head), body);
}

function cellText(row, each, place) {
  const value = row[place[each.name]];
  if (each.name === "verdict") return value === null ? say("missing") : say("verdict_" + value);
  if (each.name === "origin") return say("origin_" + value);
  if ((each.name === "statement" || each.name === "reason") && state.language === "zh") {
    return row[place[each.name + "_zh"]] ?? value ?? say("missing");
  }
  if (value === null) return say("missing");
  if (each.name === "unit") return say("unit_" + value);
  if (each.name === "p_adjusted" && value < 0.001) return "< 0.001";
  if (each.variant || each.name === "best_variant" || each.name === "dominated_by") return shown(value);
  const text = number(value, each.format);
  const bounds = each.interval.map((key) => row[place[key]]);
  if (!bounds.length || bounds.some((bound) => bound === null || bound === undefined)) return text;
  return `${text} [${bounds.map((bound) => number(bound, each.format)).join(", ")}]`;
}

function cell(name, table, row, each, place) {
  const text = cellText(row, each, place), value = row[place[each.name]];
  if (each.name === "verdict" && value !== null) {
    return make("td", {}, make("span", { class: "badge " + value.replace(/ /g, "-"), text }));
  }
  if (typeof value !== "number" || table.key.includes(each.name)) {
    const kind = ["statement", "reason"].includes(each.name) ? "long" : "text";
    return make("td", { class: each.format ? "number" : kind, text });
  }
  return make("td", { class: "number" }, make("button", {
    type: "button", class: "cell", text, "aria-haspopup": "dialog",
    onclick: () => showOrigin(name, table, row, each, place),
  }));
}

// --- where a number comes from --------------------------------------------------------------------

const OF_ALL = new Set(["rank", "rank_low", "rank_high", "delta", "p_adjusted", "detectable", "equivalent_within",
  "more_seeds", "more_gpu_hours", "front_share_params", "front_share_macs", "front_share_gpu_hours", "front_share_latency"]);

function runsBehind(name, table, record) {
  const used = DATA.used[name] ?? DATA.used.models ?? {};
  let networks = null;
  if (table.kind === "runs") return DATA.runs.filter((run) => run.variant === record.variant && run.seed === record.seed);
  if (table.kind === "models") networks = [used[record.variant] ?? record.variant];
  if (table.kind === "pairwise") networks = [record.variant_a, record.variant_b].map((each) => used[each] ?? each);
  if (table.kind === "ablation") networks = [record.arm, record.baseline].map((each) => used[each]);
  if (table.kind === "families") {
    networks = records("models").filter((each) => each.family === record.family).map((each) => each.run);
  }
  return networks === null ? DATA.runs : DATA.runs.filter((run) => networks.includes(run.variant));
}

function showOrigin(name, table, row, each, place) {
  const record = Object.fromEntries(table.data.map((key, i) => [key, row[i]]));
  const runs = runsBehind(name, table, record);
  const commits = new Map();
  for (const run of runs) {
    const text = run.commit ? run.commit.slice(0, 12) + (run.dirty ? ` (${say("dirty")})` : "") : say("unknown");
    commits.set(text, (commits.get(text) ?? 0) + 1);
  }
  const list = make("dl");
  const line = (key, ...content) => list.append(make("dt", { text: say(key) }), make("dd", {}, ...content));
  const key = table.key.map((part) => `${part}=${record[part]}`).join(", ");
  line("origin_file", make("code", { text: table.file }));
  line("origin_row", make("code", { text: key }));
  line("origin_column", make("code", { text: each.name }), ` = ${record[each.name]}`);
  if (OF_ALL.has(each.name)) line("origin_all".replace("_all", "_runs"), say("origin_all"));
  line("origin_runs", make("code", { text: runs.map((run) => `${run.variant}/seed${run.seed}`).join(", ") }));
  line("origin_commit", [...commits].map(([text, count]) => `${text} × ${count}`).join(", "));
  line("origin_trace", make("code", { text: `python -m bakeoff trace ${DATA.study.root}/${table.file}` }));
  const dialog = document.getElementById("origin");
  dialog.replaceChildren(make("h2", { id: "origin-title", text: say("origin_title") }), list,
    make("button", { type: "button", text: say("close"), autofocus: true, onclick: () => dialog.close() }));
  dialog.showModal();
}

// --- pairs ----------------------------------------------------------------------------------------

function matrix() {
  const order = records("models").map((each) => each.variant);
  const pairs = new Map();
  const turned = { better: "worse", worse: "better" };
  for (const each of records("pairwise")) {
    pairs.set(each.variant_a + "|" + each.variant_b, each);
    pairs.set(each.variant_b + "|" + each.variant_a, {
      ...each, delta: -each.delta, verdict: turned[each.verdict] ?? each.verdict,
      ci_low: each.ci_high === null ? null : -each.ci_high, ci_high: each.ci_low === null ? null : -each.ci_low,
    });
  }
  const format = { digits: 1, sign: true };
  const head = make("tr", {}, make("td", { class: "none" }));
  for (const name of order) head.append(make("th", { scope: "col", text: shown(name) }));
  const body = make("tbody");
  for (const a of order) {
    const line = make("tr", {}, make("th", { scope: "row", text: shown(a) }));
    for (const b of order) {
      const pair = pairs.get(a + "|" + b);
      if (!pair) { line.append(make("td", { class: "none", text: "" })); continue; }
      const same = pair.verdict === "same network";
      const interval = pair.ci_low === null ? "" : ` [${number(pair.ci_low, format)}, ${number(pair.ci_high, format)}]`;
      const text = same ? "=" : number(pair.delta, format);
      const full = `${shown(a)} − ${shown(b)}: ${text}${interval}, ${say("verdict_" + pair.verdict)}`;
      line.append(make("td", { class: same ? "none" : pair.verdict.replace(/ /g, "-"), title: full, "aria-label": full, text }));
    }
    body.append(line);
  }
  const legend = make("p", { class: "note" });
  for (const verdict of ["better", "equivalent", "cannot tell", "worse"]) {
    legend.append(make("span", { class: "badge " + verdict.replace(/ /g, "-"), text: say("verdict_" + verdict) }), " ");
  }
  return [make("p", { class: "note", text: ofIntervals(say("pairs_note", { metric: say(DATA.study.metric) })) }), legend,
    make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": say("pairs") },
      make("table", { class: "matrix" }, make("caption", { text: say("pairs") }), make("thead", {}, head), body))];
}

// --- claims, mistakes, method ---------------------------------------------------------------------

function claims() {
  const counts = {};
  for (const each of records("claims")) ((counts[each.origin] ??= {})[each.verdict] ??= 0, counts[each.origin][each.verdict] += 1);
  const lines = Object.entries(counts).map(([origin, found]) => make("p", {}, make("strong", { text: say("origin_" + origin) + ": " }),
    ...Object.entries(found).flatMap(([verdict, count]) =>
      [make("span", { class: "badge " + verdict.replace(/ /g, "-"), text: `${say("verdict_" + verdict)} ${count}` }), " "])));
  return [...lines, drawTable("claims", say("claims"))];
}

function mistakes() {
  const found = DATA.mistakes, names = Object.keys(found.classes);
  if (!names.length) return [];
  if (!names.includes(state.mistakes)) state.mistakes = names[0];
  const parts = [make("div", { class: "controls" }, select(say("of_variant"), names.map((name) => [name, shown(name)]),
    state.mistakes, (value) => { state.mistakes = value; redrawSection("mistakes"); }, "mistakes-variant"))];
  if (found.superclasses) parts.push(make("h3", { text: say("superclasses") }), make("div", { id: "figure-superclasses", class: "figure", role: "img", "aria-label": say("superclasses") }));
  parts.push(make("h3", { text: say("classes") }), classTable(found.classes[state.mistakes]));
  if (found.gallery.length) {
    const list = make("ul", { class: "gallery" });
    for (const each of found.gallery) {
      const taken = each.taken_for.map((other) => `${other.class} (${number(other.share, { digits: 0 })} %)`).join(", ");
      list.append(make("li", {}, make("figure", {}, make("img", { src: each.image, alt: `${each.label}, test ${each.number}` }),
        make("figcaption", {}, make("strong", { text: each.label }), make("br"), say("missed", { share: number(each.missed, { digits: 0 }) }),
          taken ? make("br") : null, taken ? say("taken_for", { names: taken }) : null))));
    }
    parts.push(make("h3", { text: say("gallery") }), list);
  }
  return parts;
}

function classTable(errors) {
  const rows = DATA.data.classes.map((name, i) => [name, errors[i]]).sort((a, b) => (b[1] ?? -1) - (a[1] ?? -1));
  const body = make("tbody");
  for (const [name, error] of rows) body.append(make("tr", {}, make("th", { scope: "row", text: name }), make("td", { class: "number", text: number(error, { digits: 1 }) })));
  const head = make("tr", {}, make("th", { scope: "col", style: "padding:6px 10px", text: say("class") }), make("th", { scope: "col", class: "number", style: "padding:6px 10px", text: say("error_pct") }));
  return make("div", { class: "wide", style: "max-width:420px;max-height:320px", tabindex: 0, role: "region", "aria-label": say("classes") },
    make("table", {}, make("caption", { text: shown(state.mistakes) }), make("thead", {}, head), body));
}

function method() {
  return [1, 2, 3, 4].map((i) => make("p", { text: say("method_" + i, { margin: DATA.margin }) }));
}

function cost() {
  const sum = (key) => DATA.runs.reduce((total, run) => total + (run[key] ?? 0), 0);
  const lost = DATA.runs.filter((run) => run.outcome !== "finished").length;
  const planned = DATA.runs.filter((run) => run.planned_hours && run.outcome === "finished");
  const of = (key) => number(planned.reduce((total, run) => total + run[key], 0), null);
  return [
    make("p", { text: say("total", { runs: DATA.runs.length, hours: number(sum("hours"), null), gpu_hours: number(sum("gpu_hours"), null) }) + (lost ? " " + say("diverged", { count: lost }) : "") }),
    planned.length ? make("p", { id: "planned", text: say("planned", { runs: planned.length, planned: of("planned_hours"), hours: of("hours") }) }) : null,
    make("h3", { text: say("gantt") }), make("div", { id: "figure-gantt", class: "figure", role: "img", "aria-label": say("gantt") }),
    drawTable("runs", say("runs")),
  ];
}

// --- the page -------------------------------------------------------------------------------------

// Dark colours are mixed with white where the ground is dark.
function shade(hex) {
  const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const light = 0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2];
  if (!state.dark || light > 110) return hex;
  return "#" + parts.map((part) => Math.round(part + (255 - part) * 0.45).toString(16).padStart(2, "0")).join("");
}

function familyColour(family) { return DATA.families[family] ? shade(DATA.families[family]) : colour("--muted"); }

function figure(id, label) { return make("div", { id: "figure-" + id, class: "figure", role: "img", "aria-label": label }); }

function scatterControls() {
  const axes = [...COSTS, ...GOOD, ...BAD].filter((key) => records("models").some((each) => typeof each[key] === "number"));
  if (!axes.includes(state.x)) state.x = axes[0];
  const options = axes.map((key) => [key, heading(key)]);
  const again = () => { drawScatter(); };
  return make("div", { class: "controls" },
    select(say("x_axis"), options, state.x, (value) => { state.x = value; again(); }, "scatter-x"),
    select(say("y_axis"), options, state.y, (value) => { state.y = value; again(); }, "scatter-y"),
    make("label", {}, make("input", { type: "checkbox", id: "scatter-log", checked: state.log, onchange: (event) => { state.log = event.target.checked; again(); } }), say("log")));
}

function familyLegend() {
  const list = make("p", { class: "legend" });
  for (const family of Object.keys(DATA.families)) {
    list.append(make("span", {}, make("span", { class: "dot", style: `background:${familyColour(family)}` }), family), " ");
  }
  return list;
}

function curveControls() {
  const kinds = ["val_top1", "val_loss", "train_top1", "train_loss"];
  const choices = make("div", { class: "choices" });
  const boxes = [];
  for (const [name, line] of Object.entries(lines())) {
    const box = make("input", { type: "checkbox", checked: !state.hidden.has(name), "data-curve": name,
      onchange: (event) => { state.hidden[event.target.checked ? "delete" : "add"](name); drawCurves(); } });
    boxes.push([name, box]);
    choices.append(make("label", {}, box, make("span", { class: "swatch", style: `background:${line.colour}` }), shown(name)));
  }
  const all = (show) => () => {
    for (const [name, box] of boxes) { box.checked = show; state.hidden[show ? "delete" : "add"](name); }
    drawCurves();
  };
  return [make("div", { class: "controls" },
    select(say("figure"), kinds.map((key) => [key, say(key)]), state.curve, (value) => { state.curve = value; drawCurves(); }, "curve-figure"),
    make("button", { type: "button", id: "curves-all", text: say("show_all"), onclick: all(true) }),
    make("button", { type: "button", id: "curves-none", text: say("show_none"), onclick: all(false) })),
  make("details", { open: true }, make("summary", { text: say("choose_variants") }), choices)];
}

const SECTIONS = {
  overview: () => [drawTable("models", say("overview"))],
  scatter: () => [scatterControls(), figure("scatter", say("scatter")), familyLegend(), make("p", { class: "note", id: "scatter-note" }), make("p", { class: "note", text: ofIntervals(say("interval_each")) })],
  curves: () => [...curveControls(), figure("curves", say("curves")), make("p", { class: "note", text: say("band") })],
  ablations: () => Object.keys(DATA.ablations).filter((name) => DATA.tables["ablation/" + name]).flatMap((name) => {
    const title = DATA.ablations[name][state.language];
    const base = records("ablation/" + name)[0].baseline;
    return [make("h3", { text: title }), make("p", { class: "note", text: ofIntervals(say("baseline", { arm: base }) + ". " + say("at_once")) }),
      figure("ablation-" + name, title), drawTable("ablation/" + name, title)];
  }),
  pairs: () => (DATA.tables.pairwise ? [...matrix(), drawTable("pairwise", say("pairs"))] : []),
  families: () => [drawTable("families", say("families"))],
  claims: () => (DATA.tables.claims ? claims() : []),
  mistakes,
  runs: cost,
  method,
};

function redrawSection(id) {
  const content = SECTIONS[id]();
  document.getElementById(id).replaceChildren(make("h2", { id: id + "-title", text: say(id) }), ...content);
  drawFiguresOf(id);
}

function render() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.theme = state.dark ? "dark" : "light";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  const theme = document.getElementById("theme");
  theme.textContent = say(state.dark ? "light" : "dark");
  theme.setAttribute("aria-pressed", String(state.dark));
  const whole = (value) => Number(value).toLocaleString("en-US");
  document.getElementById("about").textContent = say("about", {
    title: DATA.data.title[state.language], classes: DATA.data.classes.length, size: DATA.data.image_size,
    train: whole(DATA.data.train), validation: whole(DATA.data.validation), test: whole(DATA.data.test),
    protocol: DATA.study.protocol, epochs: DATA.study.epochs, runs: DATA.runs.length,
  });
  const main = document.getElementById("main"), nav = document.getElementById("nav");
  main.replaceChildren(); nav.replaceChildren();
  for (const [id, draw] of Object.entries(SECTIONS)) {
    const content = draw().filter(Boolean);
    if (!content.length) continue;
    main.append(section(id, ...content));
    nav.append(make("a", { href: "#" + id, text: say(id) }));
  }
  for (const id of Object.keys(SECTIONS)) drawFiguresOf(id);
}

// --- figures --------------------------------------------------------------------------------------

function layout(more) {
  const ink = colour("--ink"), line = colour("--line");
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 13 },
    margin: { l: 60, r: 20, t: 34, b: 50 }, showlegend: false, hoverlabel: { align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--muted"), activecolor: ink },
    ...more, xaxis: { ...axis, ...more.xaxis }, yaxis: { ...axis, ...more.yaxis },
  };
}

function plot(id, traces, more) {
  const element = document.getElementById("figure-" + id);
  if (element && state.plotly) Plotly.react(element, traces, layout(more), PLOT);
}

// A variant's colour is that of its family; line styles tell its variants apart.
function lines() {
  const styles = ["solid", "dash", "dot", "dashdot"], seen = {}, found = {};
  for (const each of records("models")) {
    if (each.same_network_as || found[each.run] || !DATA.curves[each.run]) continue;
    const i = (seen[each.family] = (seen[each.family] ?? -1) + 1);
    found[each.run] = { colour: familyColour(each.family), dash: styles[i % styles.length] };
  }
  return found;
}

function better(key, a, b) { return BAD.includes(key) || COSTS.includes(key) ? a < b : a > b; }

function front(points) {
  const at = (p, q) => !better(state.x, q.x, p.x) && !better(state.y, q.y, p.y) && (better(state.x, p.x, q.x) || better(state.y, p.y, q.y));
  return points.filter((p) => !points.some((q) => at(q, p))).sort((a, b) => a.x - b.x);
}

// Where each name stands beside its mark: the first place of four that is free, by the size of the letters.
function places(points, wide, element) {
  const width = element.clientWidth - 100, height = element.clientHeight - 100;
  const scale = (value) => (wide ? Math.log10(value) : value);
  const span = (values) => [Math.min(...values), Math.max(...values) - Math.min(...values) || 1];
  const [x0, dx] = span(points.map((p) => scale(p.x))), [y0, dy] = span(points.map((p) => p.y));
  const at = points.map((p) => [((scale(p.x) - x0) / dx) * 0.9 * width, (1 - (p.y - y0) / dy) * 0.85 * height]);
  const boxes = at.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]);
  const free = (box) => !boxes.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]);
  return points.map((p, i) => {
    const [x, y] = at[i], long = 6.2 * shown(p.row.variant).length, half = long / 2;
    const options = { "top center": [x - half, y - 22, x + half, y - 8], "middle right": [x + 9, y - 7, x + 9 + long, y + 7],
      "middle left": [x - 9 - long, y - 7, x - 9, y + 7], "bottom center": [x - half, y + 8, x + half, y + 22] };
    const [place, box] = Object.entries(options).find(([, each]) => free(each)) ?? [null, null];
    if (box) boxes.push(box);
    return place;
  });
}

function drawScatter() {
  const rows = records("models").filter((each) => !each.same_network_as);
  const drawn = rows.filter((each) => typeof each[state.x] === "number" && typeof each[state.y] === "number")
    .map((each) => ({ x: each[state.x], y: each[state.y], row: each }));
  const note = document.getElementById("scatter-note");
  const missing = rows.filter((each) => !drawn.some((point) => point.row === each)).map((each) => shown(each.variant));
  if (note) note.textContent = missing.length ? say("not_drawn", { names: missing.join(", ") }) : "";
  const traces = [];
  const best = front(drawn);
  traces.push({ x: best.map((p) => p.x), y: best.map((p) => p.y), mode: "lines", name: say("front"), hoverinfo: "skip",
    line: { color: colour("--muted"), width: 1.5, dash: "dot", shape: state.x === "score_mean" ? "linear" : "hv" } });
  const bounds = state.y === "score_mean", element = document.getElementById("figure-scatter");
  const wide = state.log && drawn.every((p) => p.x > 0);
  // There is no room for names on a small screen; who touches a mark reads its name.
  const named = element.clientWidth > 600;
  places(drawn, wide, element).forEach((place, i) => { drawn[i].place = place; });
  for (const family of Object.keys(DATA.families)) {
    const own = drawn.filter((point) => point.row.family === family);
    if (!own.length) continue;
    const beaten = (row) => (row.dominated_by ? `<br>${heading("dominated_by")}: ${shown(row.dominated_by)}` : "");
    traces.push({
      x: own.map((p) => p.x), y: own.map((p) => p.y), mode: named ? "markers+text" : "markers", name: family, customdata: own.map((p) => p.row.variant),
      text: own.map((p) => (p.place ? shown(p.row.variant) : "")), textposition: own.map((p) => p.place ?? "top center"), textfont: { size: 11 },
      marker: { color: familyColour(family), size: 11, symbol: own.map((p) => (p.row.seeds > 1 ? "circle" : "circle-open")) },
      error_y: bounds ? { type: "data", symmetric: false, thickness: 1.2, width: 0, color: familyColour(family),
        array: own.map((p) => (p.row.seeds > 1 ? p.row.score_ci_high - p.y : 0)), arrayminus: own.map((p) => (p.row.seeds > 1 ? p.y - p.row.score_ci_low : 0)) } : undefined,
      hovertext: own.map((p) => `<b>${shown(p.row.variant)}</b><br>${heading(state.x)}: ${number(p.x, null, 4)}<br>${heading(state.y)}: ${number(p.y, null, 4)}${beaten(p.row)}`),
      hoverinfo: "text",
    });
  }
  plot("scatter", traces, { xaxis: { title: { text: heading(state.x) }, type: wide ? "log" : "linear" }, yaxis: { title: { text: heading(state.y) } } });
}

function drawCurves() {
  const traces = [];
  for (const [name, line] of Object.entries(lines())) {
    if (state.hidden.has(name)) continue;
    const seeds = DATA.curves[name][state.curve].filter((each) => each.length);
    if (!seeds.length) continue;
    const length = Math.min(...seeds.map((each) => each.length));
    const epochs = Array.from({ length }, (_, i) => i + 1);
    const over = (choose) => epochs.map((_, i) => choose(seeds.map((each) => each[i]).filter((v) => v !== null)));
    if (seeds.length > 1) {
      const low = over((v) => Math.min(...v)), high = over((v) => Math.max(...v));
      traces.push({ x: [...epochs, ...epochs.slice().reverse()], y: [...high, ...low.reverse()], fill: "toself", mode: "lines",
        line: { width: 0 }, fillcolor: line.colour + "22", hoverinfo: "skip" });
    }
    traces.push({ x: epochs, y: over((v) => v.reduce((a, b) => a + b, 0) / v.length), name: shown(name),
      mode: length > 12 ? "lines" : "lines+markers", line: { color: line.colour, dash: line.dash, width: 2 },
      hovertemplate: `${shown(name)}<br>${say("epoch")} %{x}: %{y:.4g}<extra></extra>` });
  }
  plot("curves", traces, { xaxis: { title: { text: say("epoch") } }, yaxis: { title: { text: say(state.curve) } } });
}

function drawAblations() {
  const colours = { better: colour("--good"), worse: colour("--bad"), equivalent: colour("--ink") };
  for (const name of Object.keys(DATA.ablations)) {
    const arms = records("ablation/" + name).filter((each) => each.arm !== each.baseline && each.delta !== null);
    if (!arms.length) continue;
    const ink = arms.map((each) => colours[each.verdict] ?? colour("--muted"));
    const element = document.getElementById("figure-ablation-" + name);
    element.style.height = `${110 + 42 * arms.length}px`;
    plot("ablation-" + name, [{
      x: arms.map((each) => each.delta), y: arms.map((each) => each.arm), mode: "markers", hoverinfo: "text",
      marker: { color: ink, size: 11, symbol: arms.map((each) => (["better", "worse"].includes(each.verdict) ? "circle" : "circle-open")), line: { width: 2, color: ink } },
      error_x: { type: "data", symmetric: false, width: 4, thickness: 1.6, color: colour("--muted"),
        array: arms.map((each) => (each.ci_high === null ? 0 : each.ci_high - each.delta)), arrayminus: arms.map((each) => (each.ci_low === null ? 0 : each.delta - each.ci_low)) },
      hovertext: arms.map((each) => `<b>${each.arm}</b>: ${number(each.delta, { digits: 2, sign: true })}, ${say("verdict_" + each.verdict)}`),
    }], { xaxis: { title: { text: say("change", { metric: say(DATA.study.metric) }) }, zeroline: true, zerolinecolor: colour("--ink") }, yaxis: { range: [arms.length - 0.4, -0.6], type: "category" } });
  }
}

function drawSuperclasses() {
  const errors = DATA.mistakes.superclasses?.[state.mistakes];
  if (!errors) return;
  const rows = DATA.data.superclasses.map((name, i) => [name, errors[i]]).filter((row) => row[1] !== null).sort((a, b) => a[1] - b[1]);
  plot("superclasses", [{ type: "bar", orientation: "h", x: rows.map((row) => row[1]), y: rows.map((row) => row[0]), marker: { color: colour("--good") },
    hovertemplate: "%{y}: %{x:.1f} %<extra></extra>" }], { xaxis: { title: { text: say("error_pct") } }, yaxis: { type: "category", dtick: 1 } });
}

function drawGantt() {
  const runs = DATA.runs.slice().sort((a, b) => a.start.localeCompare(b.start) || a.variant.localeCompare(b.variant) || a.seed - b.seed);
  const element = document.getElementById("figure-gantt");
  if (!element) return;
  element.style.height = `${Math.min(2400, 110 + 16 * runs.length)}px`;
  const name = (run) => `${shown(run.variant)} · ${run.seed}`;
  const length = (run) => new Date(run.end) - new Date(run.start);
  const known = runs.filter((run) => run.planned_hours);
  // What the plan had for a run is an outline around what it took.
  const outlines = known.length ? [{
    type: "bar", orientation: "h", y: known.map(name), base: known.map((run) => run.start), x: known.map((run) => 3.6e6 * run.planned_hours), hoverinfo: "skip",
    marker: { color: "rgba(0,0,0,0)", line: { color: colour("--ink"), width: 1.5 } },
  }] : [];
  plot("gantt", [{
    type: "bar", orientation: "h", y: runs.map(name), base: runs.map((run) => run.start), hoverinfo: "text",
    x: runs.map(length),
    marker: { color: runs.map((run) => familyColour(DATA.family[run.variant])), opacity: runs.map((run) => (run.outcome === "finished" ? 1 : 0.4)) },
    hovertext: runs.map((run) => `${name(run)}<br>${run.start.slice(0, 16)} → ${run.end.slice(0, 16)}<br>${number(run.hours, null)} h${run.planned_hours ? ` (${say("plan")}: ${number(run.planned_hours, null)} h)` : ""}, ${run.processes} × ${run.device}<br>${run.outcome}`),
  }, ...outlines], { barmode: "overlay", xaxis: { type: "date" }, yaxis: { autorange: "reversed", type: "category", tickfont: { size: 10 } }, margin: { l: 140, r: 20, t: 34, b: 40 } });
}

function drawFiguresOf(id) {
  if (!state.plotly || !document.getElementById(id)) return;
  const draw = { scatter: drawScatter, curves: drawCurves, ablations: drawAblations, mistakes: drawSuperclasses, runs: drawGantt }[id];
  if (draw) draw();
}

function drawFigures() {
  state.plotly = typeof Plotly !== "undefined";
  if (!state.plotly) {
    for (const element of document.querySelectorAll(".figure")) element.textContent = say("no_library");
    return;
  }
  // Those that are far down wait until they are looked at, or printed.
  const late = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { late.unobserve(entry.target); drawFiguresOf(entry.target.id); }
  }, { rootMargin: "800px" });
  for (const each of document.querySelectorAll("section")) late.observe(each);
  window.addEventListener("beforeprint", () => Object.keys(SECTIONS).forEach(drawFiguresOf));
}

document.getElementById("language").addEventListener("click", () => { state.language = state.language === "en" ? "zh" : "en"; render(); });
document.getElementById("theme").addEventListener("click", () => { state.dark = !state.dark; render(); });
document.getElementById("print").addEventListener("click", () => window.print());
document.getElementById("download").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([JSON.stringify(DATA, null, 1)], { type: "application/json" }));
  make("a", { href: address, download: `${DATA.study.name}.json` }).click();
  URL.revokeObjectURL(address);
});
render();
