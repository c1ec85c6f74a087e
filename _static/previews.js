// What a link of the text leads to, shown where it is pointed at: a theorem, equation, figure,
// citation, section or symbol. The theme's Bootstrap places it.
// Each page has a script in previews/, loaded when first needed: that also works from a file.
"use strict";
(function () {
  const LINKS = ".bd-article a.reference.internal";
  const TEMPLATE = `<div class="popover" role="tooltip"><div class="popover-arrow"></div>
    <div class="popover-body"></div></div>`; // without a heading
  const told = (window.bnPreviews = {}); // page: {anchor: HTML}; the scripts fill it
  const asked = {};
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href).href;
  let wanted = null; // the link that is pointed at
  let shown = null;
  let timer = 0;

  function load(page) {
    asked[page] ??= new Promise((done) => {
      const script = document.createElement("script");
      script.src = `${root}_static/previews/${page}.js`;
      script.onload = script.onerror = () => done(told[page] || {});
      document.head.append(script);
    });
    return asked[page];
  }

  // The content is kept with its link.
  async function content(link) {
    const [path, anchor] = link.href.split("#");
    if (!path.startsWith(root) || !path.endsWith(".html")) return null;
    const html = (await load(path.slice(root.length, -5)))[decodeURIComponent(anchor || "")];
    if (!html) return null;
    const box = document.createElement("div");
    box.className = "bn-preview";
    box.innerHTML = html;
    document.body.append(box);
    return box;
  }

  function hide() {
    clearTimeout(timer);
    shown?.popover.dispose();
    shown = null;
  }

  async function show(link) {
    link.bnContent ??= content(link);
    const box = await link.bnContent;
    if (!box || link !== wanted || shown?.link === link) return;
    hide();
    const popover = new window.bootstrap.Popover(link, {
      animation: false,
      container: "body",
      content: box,
      customClass: "bn-popover",
      fallbackPlacements: ["bottom", "top"],
      html: true,
      placement: "bottom",
      sanitize: false,
      template: TEMPLATE,
      trigger: "manual",
    });
    popover.show();
    shown = { link, popover };
  }

  function want(link, delay) {
    clearTimeout(timer);
    wanted = link;
    timer = setTimeout(() => (link ? show(link) : hide()), delay);
  }

  // A finger follows a link at once; a mouse or the keyboard may look first.
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse") return;
    const link = event.target.closest(LINKS);
    if (link) want(link, 250);
    else if (event.target.closest(".bn-popover")) want(shown?.link, 0);
    else if (wanted && !wanted.matches(":focus-visible")) want(null, 250);
  });
  document.addEventListener("focusin", (event) => {
    const link = event.target.closest(LINKS);
    if (link?.matches(":focus-visible")) want(link, 0);
  });
  document.addEventListener("focusout", () => want(null, 0));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") want(null, 0);
  });
})();
