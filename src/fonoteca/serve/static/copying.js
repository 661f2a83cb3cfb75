/* A button beside text that people take elsewhere. Without scripts the text is there to be selected. */
(() => {
  "use strict";

  class CopyText extends HTMLElement {
    connectedCallback() {
      const source = this.querySelector("textarea, pre");
      if (!source || this.querySelector("button")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button copy";
      button.textContent = "Copy";
      const told = document.createElement("span");
      told.className = "fine";
      told.setAttribute("role", "status");
      button.addEventListener("click", async () => { told.textContent = (await this.copy(source)) ? "Copied." : "Select it, and copy it yourself."; });
      const line = document.createElement("p");
      line.className = "links";
      line.append(button, told);
      this.append(line);
    }

    async copy(source) {
      const text = (source.value ?? source.textContent).trim();
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch (error) {
        // Not on a page that came over plain http: select the text, and try the old way.
        const selection = window.getSelection();
        if (source.select) source.select();
        else selection.selectAllChildren(source);
        return document.execCommand("copy");
      }
    }
  }

  if (!customElements.get("copy-text")) customElements.define("copy-text", CopyText);
})();
