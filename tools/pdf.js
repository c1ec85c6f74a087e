// Turns the open page into the whole book: its title page, its contents, then every page of it.
// Each page gets names of its own for its anchors, for those of two pages may be the same.
async ([pages, title]) => {
  const names = new Map(Object.keys(pages).map(url => [url, url.match(/([^/]+)\.html$/)[1]]));

  function target(href, from) {
    const [address, anchor] = new URL(href, from).href.split("#");
    if (names.has(address)) return `#${names.get(address)}${anchor ? `--${anchor}` : ""}`;
    return address.startsWith("file:") ? null : new URL(href).href; // files are not in the book
  }

  function own(element, from) {
    const each = selector => element.querySelectorAll(selector);
    each("script, .headerlink, details.hide").forEach(one => one.remove());
    each("[id]").forEach(one => (one.id = `${names.get(from)}--${one.id}`));
    each("img").forEach(one => (one.src = new URL(one.getAttribute("src"), from)));
    each("details").forEach(one => (one.open = true));
    for (const link of each("a[href]")) {
      const href = target(link.getAttribute("href"), from);
      if (href) link.setAttribute("href", href);
      else link.removeAttribute("href");
    }
    return document.importNode(element, true);
  }

  const whole = document.createElement("main");
  whole.className = "whole-book";
  whole.innerHTML = title;
  for (const [url, text] of Object.entries(pages)) {
    const parsed = new DOMParser().parseFromString(text, "text/html");
    if (!whole.querySelector("nav")) {
      const contents = document.createElement("nav");
      contents.innerHTML = "<h1>Contents</h1>";
      for (const each of parsed.querySelectorAll(".bd-links :is(.caption-text, li > a)")) {
        const line = document.createElement("p");
        line.append(...(each.matches("a") ? [each] : each.childNodes));
        contents.append(line);
      }
      whole.append(own(contents, url));
    }
    const article = own(parsed.querySelector(".bd-article"), url);
    article.id = names.get(url);
    whole.append(article);
  }
  document.documentElement.dataset.theme = "light";
  document.body.replaceChildren(whole);
  // One formula is one thing, read aloud in words: a tag for each sign would double the file.
  for (const formula of whole.querySelectorAll("mjx-container")) {
    formula.querySelector("mjx-assistive-mml")?.remove();
    formula.setAttribute("role", "img");
    formula.setAttribute("aria-label", formula.closest(".math").dataset.words);
  }
  await Promise.all([...document.images].map(each => each.decode()));
  await document.fonts.ready;

  // What is too wide for the paper becomes smaller, as little as it needs.
  for (const box of whole.querySelectorAll("mjx-container, table, .cell_output .output")) {
    const room = box.parentElement.clientWidth, taken = Math.max(box.scrollWidth, box.offsetWidth);
    if (room && taken > room + 1) box.style.zoom = room / taken;
  }
}
