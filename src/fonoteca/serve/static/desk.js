// The desk: while something waits to be carried out, what is shown of it is asked for again every few seconds.
"use strict";
(() => {
  const AGAIN_MS = 3000;
  let waits = 0;

  async function again() {
    const here = document.querySelector("[data-again]");
    if (!here) return;
    const address = location.href;
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const there = page.getElementById(here.id);
      if (location.href !== address) return;
      if (!there) return;
      // What is done has other forms below it: the page is shown anew, unless somebody is typing.
      if (!there.hasAttribute("data-again") && !document.activeElement?.closest("form")) return location.reload();
      if (there.textContent !== here.textContent) here.replaceWith(document.adoptNode(there));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the server is away for a moment
    }
    plan();
  }
  function plan() {
    clearTimeout(waits);
    if (document.querySelector("[data-again]")) waits = setTimeout(again, AGAIN_MS);
  }
  document.addEventListener("fonoteca:page", plan);
  plan();
})();
