// The explorer: <div class="bn-explorer" data-size="small|large">. What is inside the div stays for
// print, and without this script. The state is in the address, so that it can be sent.
"use strict";
(function () {
const bn = (window.bnExplorer = window.bnExplorer || {});
const copy = state => ({ x: state.x.map(row => [...row]), t: [...state.t], w0: [...state.w0] });
const bound = v => Math.round(Math.min(99, Math.max(-99, v)) * 1e6) / 1e6;
const percent = v => `${(100 * v).toFixed(1)}%`;
const say = (element, words) => element.textContent !== words && (element.textContent = words);
const FACTS = {
  star: "W*, without batch norm", ray: "BN optima", theta: "angle θ between them",
  share: "share of starts that fail", origin: "plane through 0",
  fitted: "plane with intercept", flow: "gradient flow on the BN loss",
};
const SIDES = { left: "left side, ‖W₀ − Ŵ*‖²", right: "right side, what the lemma promises" };

class Explorer {
  constructor(root, linked) {
    const { page = "", size } = root.dataset;
    Object.assign(this, { root, linked, seed: 0, fields: [], page, small: size === "small" });
    this.state = (linked && bn.decode(location.hash)) || copy(bn.PRESETS[0].state);
    this.build();
    this.update();
  }

  build() {
    const { html, frame } = bn, [w, h] = this.small ? [260, 200] : [400, 300];
    this.weights = frame("Drag W₀. Orange: BN optima, left side; blue: W*, right side; dotted: gradient flow.",
      400, 400);
    this.inputs = frame("Drag the three inputs. +: their mean.", w, h);
    this.fits = frame("Drag the three targets. Squares: the plane through 0; dots: with intercept a.", w, h);
    this.weights.figure.className = "bn-tall";
    this.word = html("strong");
    this.sentence = html("span");
    this.notes = html("ul", { class: "bn-notes" });
    const verdict = html("p", { class: "bn-verdict", "aria-live": "polite" }, this.word, " ", this.sentence);
    this.told = html("div", { class: "bn-tall" }, verdict, this.notes);
    for (const [name, words] of Object.entries(SIDES)) {
      this[name] = { number: html("span"), bar: html("i") };
      this.told.append(html("div", { class: `bn-side bn-${name}-side` }, words, this[name].number, this[name].bar));
    }
    this.facts = html("dl", { class: "bn-facts" });
    for (const [name, words] of Object.entries(FACTS))
      this.facts.append(html("dt", {}, words), (this.facts[name] = html("dd", { "data-fact": name })));
    this.told.append(this.facts, this.table());
    this.handles();
    const figures = [this.inputs, this.fits].map(f => f.figure);
    this.root.append(html("div", { class: "bn-app" }, this.controls(), this.weights.figure, this.told, ...figures));
    this.root.classList.add("bn-live");
  }

  controls() {
    const { html } = bn, options = bn.PRESETS.map(({ name }, i) => html("option", { value: i }, name));
    this.presets = html("select", {}, ...options, html("option", { value: -1 }, "your own"));
    this.presets.addEventListener("change", () => this.go((bn.PRESETS[this.presets.value] || this).state));
    const button = (words, act) => {
      const found = html("button", { type: "button" }, words);
      found.addEventListener("click", () => act(found));
      return found;
    };
    this.link = html("a", { href: "#" }, this.page ? "Open it larger" : "Link to this state");
    return html("div", { class: "bn-controls" }, html("label", {}, "Preset ", this.presets),
      button("A random set", () => this.go(bn.randomState(++this.seed))),
      button("W₀ = W*", () => this.go({ ...this.state, w0: bn.analyse(this.state).star.map(bound) })),
      button("Copy the link", found => this.send(found)), this.link);
  }

  async send(button) {
    try {
      await navigator.clipboard.writeText(this.link.href);
      say(button, "Copied");
    } catch {
      say(button, "Use the address bar");
    }
    this.save();
  }

  // Number fields for every number of the state.
  table() {
    const { html } = bn, table = html("table");
    const row = (name, ...fields) => table.append(html("tr", {}, html("th", { scope: "row" }, name),
      ...fields.map(([words, list, i]) => html("td", {}, this.field(`${name}, ${words}`, list, i)))));
    const heads = ["input 1", "input 2", "target"].map(words => html("th", { scope: "col" }, words));
    table.append(html("tr", {}, html("td"), ...heads));
    for (const i of [0, 1, 2])
      row(`example ${i + 1}`, ["input 1", s => s.x[i], 0], ["input 2", s => s.x[i], 1], ["target", s => s.t, i]);
    row("W₀", ["weight 1", s => s.w0, 0], ["weight 2", s => s.w0, 1]);
    const details = html("details", { class: "bn-numbers" }, html("summary", {}, "All numbers"), table);
    details.open = !this.small;
    return details;
  }

  field(label, list, i) {
    const input = bn.html("input", { type: "number", step: 0.1, min: -99, max: 99, "aria-label": label });
    input.addEventListener("input", () => {
      if (input.value && Math.abs(input.value) <= 99) this.edit(list, i, Number(input.value));
    });
    input.addEventListener("change", () => {
      input.value = list(this.state)[i];
      this.save();
    });
    this.fields.push(() => input !== document.activeElement && (input.value = list(this.state)[i]));
    return input;
  }

  handles() {
    const done = () => this.go(this.state);
    const point = (f, label, name, list) => bn.handle(f, {
      label, name, done, get: () => list(this.state), set: place => place.forEach((v, i) => this.edit(list, i, v)),
    });
    point(this.weights, "W₀, the start", "W₀", s => s.w0);
    for (const i of [0, 1, 2]) {
      point(this.inputs, `example ${i + 1}, both inputs`, i + 1, s => s.x[i]);
      bn.handle(this.fits, {
        label: `example ${i + 1}, target`, name: i + 1, done, upright: true,
        get: () => [i + 1, this.state.t[i]], set: ([, v]) => this.edit(s => s.t, i, v),
      });
    }
  }

  edit(list, i, value) {
    list(this.state)[i] = bound(value);
    this.update();
  }

  go(state) {
    this.state = copy(state);
    this.update();
    this.save();
  }

  save() {
    if (this.linked) history.replaceState(null, "", `#${bn.encode(this.state)}`);
  }

  update() {
    const r = bn.analyse(this.state), hash = bn.encode(this.state);
    bn.drawWeights(this.weights, r);
    this.drawInputs(r);
    this.drawFits(r);
    this.tell(r);
    this.fields.forEach(fill => fill());
    this.presets.value = bn.PRESETS.findIndex(each => bn.encode(each.state) === hash);
    this.link.href = `${this.page}#${hash}`;
  }

  drawInputs({ x }) {
    const f = this.inputs, mean = [0, 1].map(j => (x[0][j] + x[1][j] + x[2][j]) / 3);
    bn.reach(f, x);
    f.draw([...bn.axes(f, ["input 1", "input 2"]), bn.text(f, mean, "+", "bn-mean bn-middle", 0, 6)]);
  }

  drawFits(r) {
    const { trace, mark, text } = bn, f = this.fits;
    const blue = [0, ...r.fits.origin], orange = [r.intercept, ...r.fits.intercept];
    if (!f.held) {
      const values = [...blue, ...orange, ...r.t], low = Math.min(...values), high = Math.max(...values);
      const room = 0.15 * Math.max(1, high - low);
      f.box = [-0.6, 3.6, low - 1.5 * room, high + room];
    }
    const parts = [trace(f, [[-0.6, 0], [3.6, 0]], "bn-axis")];
    for (const k of [0, 1, 2, 3]) {
      parts.push(text(f, [k, f.box[2]], `at ${k}`, "bn-middle", 0, -6));
      if (k) parts.push(trace(f, [[k - 0.2, blue[k]], [k - 0.2, r.t[k - 1]]], "bn-right"));
      parts.push(mark(f, [k - 0.2, blue[k]], "bn-star"), mark(f, [k + 0.2, orange[k]], "bn-foot", 6));
    }
    f.draw([...parts, text(f, [0.2, r.intercept], "a", "bn-name", 10, 4)]);
  }

  tell(r) {
    const { word, sentence, notes } = bn.explain(r), most = Math.max(r.left, r.right) || 1;
    say(this.word, `${word}.`);
    say(this.sentence, sentence);
    this.root.dataset.verdict = r.verdict;
    this.notes.replaceChildren(...notes.map(each => bn.html("li", {}, each)));
    for (const name in SIDES) {
      const value = r[name], infimum = name === "left" && !r.exists;
      say(this[name].number, value === null ? "undefined" : bn.show(value) + (infimum ? ", an infimum" : ""));
      this[name].bar.style.width = `${(100 * value) / most}%`;
    }
    for (const [name, words] of Object.entries(this.described(r))) say(this.facts[name], words);
  }

  described(r) {
    const { show, pair } = bn, { shares: s, flow } = r, slope = pair(r.slope);
    const plane = w => `t = ${show(w[0])} x₁ + ${show(w[1])} x₂`;
    const signed = words => words.replaceAll("+ −", "− ");
    const optima = { ray: `the ray of ${slope}`, "half-plane": `the half-plane where w · ${slope} > 0`,
      everywhere: "every w where the loss is defined", nowhere: "none" };
    const end = flow.end && `ends at ${pair(flow.end)}, squared distance ${show(r.reached)}`;
    return {
      star: pair(r.star), ray: optima[r.kind],
      theta: r.theta === null ? "none: no single ray, or W* is 0" : `${show((r.theta * 180) / Math.PI)}°`,
      share: s ? `${percent(s.infimum)} with the infimum, ${percent(s.strict)} read strictly` : "no law for this case",
      origin: signed(plane(r.star)), fitted: signed(`${plane(r.slope)} + ${show(r.intercept)}`),
      flow: { ray: end, undefined: "undefined: the outputs of W₀ do not vary" }[flow.why]
        || "does not move: the gradient is 0",
    };
  }
}

function start() {
  const made = [...document.querySelectorAll(".bn-explorer")].map((root, i) => new Explorer(root, !i));
  window.addEventListener("hashchange", () => {
    const state = bn.decode(location.hash);
    if (state && made.length) made[0].go(state);
  });
}
document.addEventListener("DOMContentLoaded", start);
})();
