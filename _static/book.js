// What is wider than the page scrolls in its own box; the box must then be reachable by keyboard,
// and show on which side there is more.
// A command that names the book gets its address, which only the page that is read knows.
// A frame around the browser's own work: nothing here is needed to read the book.
"use strict";
(function () {
  // Paper is white, and a reader cannot unfold what is folded there.
  const root = document.documentElement;
  let theme, folded;
  window.addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    folded = document.querySelectorAll(".bd-article details:not(.hide, [open])");
    for (const each of folded) each.open = true;
  });
  window.addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    for (const each of folded) each.open = false;
  });
  const BOXES = "mjx-container, div.highlight pre, div.cell_output .output, " +
    ".pst-scrollable-table-container";
  function mark(box) {
    const formula = box.matches("mjx-container"); // its accents reach out of its box
    const width = formula ? box.firstElementChild.offsetWidth : box.scrollWidth;
    const room = box.clientWidth && width - box.clientWidth;
    box.classList.toggle("cut-start", room > 1 && box.scrollLeft > 1);
    box.classList.toggle("cut-end", room > 1 && box.scrollLeft < room - 1);
    if (room > 0 || (!formula && box.scrollHeight > box.clientHeight)) box.tabIndex = 0;
    else if (box.tabIndex === 0) box.removeAttribute("tabindex");
  }
  function watch() {
    const sizes = new ResizeObserver(seen => seen.forEach(each => mark(each.target)));
    for (const box of document.querySelectorAll(BOXES)) {
      sizes.observe(box); // it marks the box now, too, and when a folded block is opened
      box.addEventListener("scroll", () => mark(box), { passive: true });
    }
    for (const button of document.querySelectorAll(".toggle-button"))
      button.setAttribute("aria-label", button.closest(".admonition-title").textContent.trim());
  }
  function fill() {
    const root = document.documentElement.dataset.content_root;
    const book = new URL(root, location.href).href.replace(/\/$/, "");
    for (const code of document.querySelectorAll(".run-it pre")) {
      const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
      while (texts.nextNode())
        texts.currentNode.data = texts.currentNode.data.replaceAll("BOOK/run/", book + "/run/");
    }
    for (const said of document.querySelectorAll(".without-address")) said.hidden = true;
  }
  function start() {
    fill();
    watch();
  }
  // What the search shows of a page has its text, its formulas in words, not its code.
  function reword() {
    if (typeof Search === "undefined") return;
    const textOf = Search.htmlToText;
    Search.htmlToText = (html, anchor) => {
      const page = new DOMParser().parseFromString(html, "text/html");
      for (const each of page.querySelectorAll(".math"))
        each.textContent = each.dataset.words || " … ";
      for (const each of page.querySelectorAll(".highlight, summary")) each.remove();
      page.querySelector("main")?.replaceChildren(page.querySelector(".bd-article"));
      return textOf(page.documentElement.outerHTML, anchor);
    };
  }
  document.addEventListener("DOMContentLoaded", reword); // before the search itself
  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
})();
