/* The page demo.html: puts addresses into the page and has presence.js find them. The token may stand
   behind the # of the address, which browsers keep to themselves. */
(() => {
  "use strict";
  const key = document.getElementById("key");
  const addresses = document.getElementById("addresses");
  const people = document.getElementById("people");
  let script = null;

  function show() {
    people.replaceChildren();
    for (const address of addresses.value.split("\n").map((line) => line.trim())) {
      if (!address) continue;
      const item = document.createElement("li");
      item.dataset.presence = address;
      item.textContent = address;
      people.append(item);
    }
    if (!script && key.value.trim()) {
      script = document.createElement("script");
      script.src = "presence.js";
      script.dataset.key = key.value.trim();
      document.body.append(script);
    }
  }

  key.value = decodeURIComponent(location.hash.slice(1));
  document.getElementById("show").addEventListener("click", show);
  if (key.value) show();
})();
