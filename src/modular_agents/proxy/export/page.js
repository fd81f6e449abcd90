"use strict";
(() => {
  const root = document.documentElement;
  const box = document.querySelector("#search");
  const told = document.querySelector("#told");
  const turns = [...document.querySelectorAll("details.turn")];
  const words = turns.map((turn) => turn.textContent.toLowerCase());
  const opened = new Set();
  root.classList.add("live");

  const paint = (query) => {
    if (!globalThis.Highlight || !CSS.highlights) return;
    CSS.highlights.delete("found");
    if (!query) return;
    const found = new Highlight();
    let count = 0;
    for (const turn of turns) {
      if (turn.hidden || count > 2000) continue;
      const walker = document.createTreeWalker(turn, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node && count <= 2000; node = walker.nextNode()) {
        const text = node.data.toLowerCase();
        if (text.length !== node.data.length) continue;
        for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + query.length);
          found.add(range);
          count += 1;
          for (let inner = node.parentElement.closest("details:not([open])"); inner; inner = inner.parentElement.closest("details:not([open])")) {
            if (node.parentElement.closest("summary")?.parentElement === inner) break;
            inner.open = true;
            opened.add(inner);
          }
        }
      }
    }
    CSS.highlights.set("found", found);
  };

  const search = () => {
    const query = box.value.trim().toLowerCase();
    let count = 0;
    turns.forEach((turn, at) => {
      const fits = !query || words[at].includes(query);
      turn.hidden = !fits;
      if (query && fits) {
        count += 1;
        if (!turn.open) {
          turn.open = true;
          opened.add(turn);
        }
      }
    });
    if (!query) {
      for (const turn of opened) turn.open = false;
      opened.clear();
    }
    for (const agent of document.querySelectorAll(".agent")) {
      agent.hidden = Boolean(query) && !agent.querySelector("details.turn:not([hidden])");
    }
    told.textContent = query ? `${count} of ${turns.length} calls` : "";
    paint(query);
  };

  let waiting = 0;
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  document.querySelector("#unfold").addEventListener("click", (event) => {
    const open = turns.some((turn) => !turn.hidden && !turn.open);
    for (const turn of turns) if (!turn.hidden) turn.open = open;
    opened.clear();
    event.currentTarget.textContent = open ? "Fold all" : "Unfold all";
  });
  document.querySelector("#theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  const reveal = () => {
    const turn = document.getElementById(location.hash.slice(1));
    if (turn instanceof HTMLDetailsElement) {
      turn.hidden = false;
      turn.open = true;
      turn.scrollIntoView({ block: "start" });
    }
  };
  addEventListener("hashchange", reveal);
  addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLInputElement) {
      if (event.key === "Escape") {
        box.value = "";
        search();
        box.blur();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      box.focus();
    } else if (event.key === "j" || event.key === "k") {
      const shown = turns.filter((turn) => !turn.hidden);
      const now = shown.indexOf(document.activeElement.closest("details.turn"));
      const next = shown[Math.max(0, now + (event.key === "j" ? 1 : -1))];
      if (next) {
        next.querySelector("summary").focus();
        next.scrollIntoView({ block: "nearest" });
      }
    }
  });
  reveal();
})();
