// The explorer: <div class="bn-explorer" data-size="small|large">. What is inside stays for print,
// and without this script. The state is in the address.
"use strict";
(function () {
const bn = (window.bnExplorer ??= {});
const bound = v => Math.round(Math.min(99, Math.max(-99, v)) * 1e6) / 1e6;
const percent = v => `${(100 * v).toFixed(1)}%`;
const say = (element, words) => element.textContent !== words && (element.textContent = words);
const RANGE = "from −99 to 99";
const FACTS = {
  star: "W*, without batch norm", ray: "BN optima", theta: "angle θ between them",
  share: "share that fails, of starts with ⟨W₀, W*⟩ > 0",
  flow: "gradient flow on the BN loss",
};
const SIDES = { left: "left side, ‖W₀ − Ŵ*‖²", right: "right side, what the lemma promises" };

class Explorer {
  constructor(root, linked) {
    const { page = "", size } = root.dataset;
    Object.assign(this, { root, linked, seed: 0, fields: [], page, small: size === "small" });
    this.state = (linked && bn.decode(location.hash)) || structuredClone(bn.PRESETS[0].state);
    this.build();
    this.update();
  }

  build() {
    const { html, frame } = bn, [w, h] = this.small ? [260, 200] : [400, 300];
    this.weights = frame("Drag W₀, or use the arrow keys. Surest: a random set, then W₀ = W*. Orange: BN " +
      "optima; thin blue: the ray of W*; thick orange and blue: the distances whose squares are compared; " +
      "dots: gradient flow; hatched: no BN optimum is closest.", 400, 400);
    this.inputs = frame("Drag the three inputs. +: their mean.", w, h);
    this.fits = frame("Drag the targets t. Squares: the plane through 0; dots: with intercept a.", w, h);
    this.weights.figure.className = "bn-tall";
    this.word = html("strong");
    this.sentence = html("span");
    this.notes = html("ul", { class: "bn-notes" });
    const verdict = html("p", { class: "bn-verdict", "aria-live": "polite" }, this.word, " ", this.sentence);
    this.told = html("div", { class: "bn-tall bn-told" }, verdict, this.notes);
    for (const [name, words] of Object.entries(SIDES)) {
      this[name] = { number: html("span"), bar: html("i") };
      this.told.append(html("div", { class: `bn-side bn-${name}-side` }, words, this[name].number, this[name].bar));
    }
    this.facts = html("dl", { class: "bn-facts" });
    for (const [name, words] of Object.entries(FACTS))
      this.facts.append(html("dt", {}, words), (this.facts[name] = html("dd", { "data-fact": name })));
    this.told.append(this.facts, this.table());
    this.handles();
    this.root.append(html("div", { class: "bn-app" }, this.controls(), this.weights.figure, this.told,
      this.inputs.figure, this.fits.figure));
    this.root.classList.add("bn-live");
    new IntersectionObserver(seen => document.body.classList.toggle("bn-seen", seen.at(-1).isIntersecting))
      .observe(this.root);
  }

  controls() {
    const { html } = bn, options = bn.PRESETS.map(({ name }, i) => html("option", { value: i }, name));
    this.presets = html("select", {}, ...options, html("option", { value: -1 }, "your own"));
    this.presets.onchange = () => this.go((bn.PRESETS[this.presets.value] || this).state);
    const button = (words, onclick) => Object.assign(html("button", {}, words), { onclick });
    this.link = html("a", { href: "#" }, this.page ? "Open it larger" : "Link to this state");
    return html("div", { class: "bn-controls" }, html("label", {}, "Preset ", this.presets),
      button("A random set", () => this.go(bn.randomState(++this.seed))),
      button("W₀ = W*", () => this.go({ ...this.state, w0: bn.analyse(this.state).star.map(bound) })),
      button("Copy the link", event => this.send(event)), this.link);
  }

  async send({ target }) {
    try {
      await navigator.clipboard.writeText(this.link.href);
      say(target, "Copied");
    } catch {
      say(target, "See the address");
    }
    this.save();
  }

  table() {
    const { html } = bn, heads = ["input 1", "input 2", "target"], th = words => html("th", {}, words);
    const table = html("table", {}, html("tr", {}, html("td"), ...heads.map(th)));
    ["example 1", "example 2", "example 3", "W₀"].forEach((name, i) => {
      const fields = heads.slice(0, i < 3 ? 3 : 2).map((words, j) => this.field(`${name}, ${words}`,
        s => (i > 2 ? s.w0 : j > 1 ? s.t : s.x[i]), j > 1 ? i : j));
      table.append(html("tr", {}, th(name.slice(-2)), ...fields.map(each => html("td", {}, each))));
    });
    const details = html("details", { class: "bn-numbers" }, html("summary", {}, `All numbers (${RANGE})`), table);
    details.open = !this.small;
    return details;
  }

  field(label, list, i) {
    const input = bn.html("input", { type: "number", step: 0.1, min: -99, max: 99, title: RANGE, "aria-label": label });
    input.oninput = () => input.value && this.edit(list, i, Number(input.value));
    input.onchange = () => {
      input.value = list(this.state)[i];
      this.save();
    };
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
      point(this.inputs, `example ${i + 1}, both inputs`, null, s => s.x[i]);
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
    this.state = structuredClone(state);
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
    const names = x.map((p, i) => bn.text(f, p, i + 1, "bn-name", [-15, 16, 0][i], [-8, 5, -14][i]));
    f.above.innerHTML = names.join(""); // on different sides, so that none hides another
  }

  drawFits(r) {
    const { trace, mark, text, show } = bn, f = this.fits, parts = [];
    const blue = [0, ...r.fits.origin], orange = [r.intercept, ...r.fits.intercept];
    if (!f.held) {
      const values = [...blue, ...orange, ...r.t], low = Math.min(...values), high = Math.max(...values);
      const room = 0.15 * Math.max(1, high - low);
      f.box = [-1, 3.6, low - 1.5 * room, high + room];
    }
    const [left, end, y0, y1] = f.box, margin = (y1 - y0) / 10, gap = bn.step(5 * margin);
    for (let v = gap * Math.ceil((y0 + margin) / gap); v < y1 - margin; v += gap)
      parts.push(trace(f, [[-0.5, v], [end, v]], "bn-axis"), text(f, [left, v], show(v), "", 4, 4));
    for (const k of [0, 1, 2, 3]) {
      parts.push(text(f, [k, y0], k || "origin", "bn-middle", 0, -6));
      if (k) parts.push(trace(f, [[k - 0.2, blue[k]], [k - 0.2, r.t[k - 1]]], "bn-right"));
      parts.push(mark(f, [k - 0.2, blue[k]], "bn-star"), mark(f, [k + 0.2, orange[k]], "bn-foot", 6));
    }
    f.draw([...parts, text(f, [left, y1], "t", "", 6, 13),
      text(f, [0.2, r.intercept], `a = ${show(r.intercept)}`, "bn-name", 0, -12)]);
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
    const optima = { ray: `the ray of ${slope}`, "half-plane": `the half-plane where w · ${slope} > 0` };
    const end = flow.end && `ends at ${pair(flow.end)}, squared distance ${show(r.reached)}`;
    return {
      star: pair(r.star), ray: optima[r.kind] || "no ray",
      theta: r.theta === null ? "no single ray, or W* is 0" : `${show((r.theta * 180) / Math.PI)}°`,
      share: !s ? "no law here" : s.infimum ? (s.strict ? "½ of those with a closest BN optimum; " : "") +
        `of all, ${percent(s.strict)} (strict), or ${percent(s.infimum)} if those without one count too (infimum)` : "none",
      flow: { ray: end, undefined: "undefined: the outputs of W₀ do not vary" }[flow.why]
        || "does not move: the gradient is 0",
    };
  }
}

function start() {
  const made = [...document.querySelectorAll(".bn-explorer")].map((root, i) => new Explorer(root, !i));
  const follow = () => {
    const state = bn.decode(location.hash);
    if (!state || !made.length) return;
    made[0].go(state);
    made[0].presets.scrollIntoView();
  };
  for (const event of ["load", "hashchange"]) window.addEventListener(event, follow);
}
document.addEventListener("DOMContentLoaded", start);
})();
