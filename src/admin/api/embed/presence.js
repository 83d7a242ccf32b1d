/*
 * Shows presence icons beside addresses of a web page.
 *
 *   <script src="https://SERVER/v1/embed/presence.js" data-key="TOKEN" defer></script>
 *   <span data-presence="alice@example.test">Alice</span>
 *
 * TOKEN is a token of the role "icon": everybody who reads the page reads it, and it is good for
 * icons alone. The site of the page must stand in api.origins for the state to be told to screen
 * readers; without it the icons are shown all the same. Elements that come later are found too.
 */
(() => {
  "use strict";
  const script = document.currentScript;
  const base = new URL("../presence/", script.src);
  const key = script.dataset.key || "";
  const refreshMs = 30000;
  const shown = new Map();

  function address(element) {
    return element.dataset.presence.trim().toLowerCase();
  }

  function url(who) {
    const url = new URL(encodeURIComponent(who) + "/icon.svg", base);
    url.searchParams.set("key", key);
    return url;
  }

  function place(element) {
    const image = document.createElement("img");
    image.width = 16;
    image.height = 16;
    image.className = "mynah-presence";
    image.style.verticalAlign = "-2px";
    image.style.marginInlineEnd = "4px";
    image.alt = "presence of " + address(element);
    element.prepend(image);
    return image;
  }

  /* The words of the icon, which an image does not tell. */
  function words(svg) {
    const title = new DOMParser().parseFromString(svg, "image/svg+xml").querySelector("title");
    return title ? title.textContent : "";
  }

  async function update(element, image) {
    const source = url(address(element));
    try {
      const answer = await fetch(source, { credentials: "omit", referrerPolicy: "no-referrer" });
      if (!answer.ok) throw new Error(String(answer.status));
      const svg = await answer.text();
      const text = words(svg);
      image.src = "data:image/svg+xml," + encodeURIComponent(svg);
      image.alt = text;
      image.title = text;
    } catch {
      /* The site may not read the answer, but it may show it. The minute makes it a new one. */
      source.searchParams.set("t", String(Math.floor(Date.now() / refreshMs)));
      image.src = source.href;
    }
  }

  function look() {
    for (const [element, image] of shown) {
      if (!element.isConnected) {
        shown.delete(element);
      } else if (!document.hidden) {
        update(element, image);
      }
    }
  }

  function find() {
    for (const element of document.querySelectorAll("[data-presence]")) {
      if (!shown.has(element) && address(element)) {
        const image = place(element);
        shown.set(element, image);
        update(element, image);
      }
    }
  }

  find();
  new MutationObserver(find).observe(document.documentElement, { childList: true, subtree: true });
  setInterval(look, refreshMs);
  document.addEventListener("visibilitychange", look);
})();
