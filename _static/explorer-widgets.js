// The slider of the intercept, <div class="bn-intercept">, and the filter of the decision table.
"use strict";
(function (root) {
const bn = (root.bnExplorer ??= {});

// What a row of the decision table is about, from its name and what it says of γ and β.
function rowKind(name, parameters) {
  const bare = /^scale only|not centred|weight normalization/.test(name), bias = /bias|constant input/.test(name);
  const other = /activation/.test(name), inputs = /centred inputs|standardized/.test(name);
  return {
    frozen: /frozen/.test(parameters), trained: /trained/.test(parameters),
    inputs, outputs: !bare, nothing: bare && !inputs, with: bias, without: !bias, identity: !other, other,
  };
}
const FILTERS = {
  "γ and β": ["frozen", "trained"], centred: ["inputs", "outputs", "nothing"],
  bias: ["with", "without"], activation: ["identity", "other"],
};

function filterTable(table) {
  const { html } = bn, count = html("output"), rows = [...table.tBodies[0].rows];
  const selects = Object.values(FILTERS).map(values => html("select", {},
    html("option", { value: "" }, "any"), ...values.map(each => html("option", {}, each))));
  const labels = Object.keys(FILTERS).map((words, i) => html("label", {}, `${words} `, selects[i]));
  const apply = () => {
    for (const row of rows) {
      const kind = rowKind(row.cells[0].textContent, row.cells[4].textContent);
      row.classList.toggle("bn-hidden", selects.some(({ value }) => value && !kind[value]));
    }
    count.textContent = `${rows.filter(row => !row.matches(".bn-hidden")).length} of ${rows.length} rows`;
  };
  const form = html("form", { class: "bn-filter", "aria-label": "Filter the table" }, ...labels, count);
  form.onchange = apply;
  form.onsubmit = () => false;
  (table.closest(".pst-scrollable-table-container") || table).before(form);
  apply();
}

const X = [[1, 0], [0, 1], [1, 1]], SLOPE = [5, 3]; // of the counterexample, whose intercept is −3
const at = a => {
  const t = X.map(row => bn.dot(row, SLOPE) + a), { star } = bn.analyse({ x: X, t, w0: [0, 0] });
  const r = bn.analyse({ x: X, t, w0: star });
  return { ...r, signed: Math.sign(bn.cross(r.u, r.star)) * r.theta * 180 / Math.PI };
};

function intercept(place) {
  const { html, frame, show } = bn, range = html("input", { type: "range", min: -6, max: 6, step: 0.1, value: -3 });
  const told = html("p", { class: "bn-controls", "aria-live": "polite" });
  const plane = frame("Blue: W* and the line it moves on. Orange: the BN ray, which stays.", 400, 300);
  const curve = frame("The signed angle from the BN ray to W*: 0 at a = 0 only.", 400, 300);
  plane.box = [-2, 10, -1.7, 7.3];
  curve.box = [-6.6, 6.6, -85, 40];
  plane.held = true; // its window stays
  const all = Array.from({ length: 61 }, (_, i) => i / 5 - 6).map(a => [a, at(a).signed]);
  const draw = () => {
    const a = Number(range.value), r = at(a), degrees = `${show(r.signed)}°`;
    const line = bn.trace(plane, [at(-6).star, at(6).star], "bn-standard bn-dashed");
    bn.drawWeights(plane, { ...r, flow: { end: null } }, line);
    const parts = [bn.trace(curve, all, "bn-curve"), bn.mark(curve, [a, r.signed], "bn-star")];
    curve.draw([...bn.axes(curve, ["a", "degrees"]), ...parts]);
    told.textContent = `a = ${show(a)}: W* = ${bn.pair(r.star)}, angle ${degrees}. ` + (r.theta
      ? `From W₀ = W* the lemma promises 0; the closest BN optimum is at squared distance ${show(r.left)}: false.`
      : "W* lies on the BN ray: true, with equality.");
  };
  range.oninput = draw;
  const label = html("label", { class: "bn-controls" }, "Intercept a, from −6 to 6", range);
  place.append(html("div", { class: "bn-app" }, label, told, plane.figure, curve.figure));
  place.classList.add("bn-live");
  draw();
}

function start() {
  document.querySelectorAll(".bn-intercept").forEach(intercept);
  for (const table of document.querySelectorAll("table"))
    if (table.rows[0]?.cells[0]?.textContent.trim() === "assumption") filterTable(table);
}
if (typeof module !== "undefined") module.exports = { rowKind };
else document.addEventListener("DOMContentLoaded", start);
})(typeof window === "undefined" ? {} : window);
