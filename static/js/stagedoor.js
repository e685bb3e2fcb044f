// The little that the server can't do: theme switch, "/" for search, menus that close,
// and saying it when a background request failed, or was refused. Every page works without this file.
(function () {
  "use strict";

  const root = document.documentElement;
  const read = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const write = (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Without storage the choice holds for this page only.
    }
  };

  // --- Theme -------------------------------------------------------------------------------
  const THEMES = ["auto", "light", "dark"];
  const showTheme = () => {
    const theme = root.dataset.theme || "auto";
    document.querySelectorAll("[data-theme-switch]").forEach((button) => {
      button.hidden = false;
      button.querySelector("use").setAttribute("href", `#icon-theme-${theme}`);
      button.querySelector("[data-theme-word]").textContent = theme;
    });
  };

  // --- The "/" shortcut, which can be turned off (WCAG 2.1.4) --------------------------------
  const shortcutOn = () => read("shortcut") !== "off";
  const showShortcut = () => {
    document.querySelectorAll("[data-shortcut-hint]").forEach((hint) => {
      hint.hidden = !shortcutOn();
    });
    document.querySelectorAll("[data-shortcut-switch]").forEach((button) => {
      button.hidden = false;
      button.textContent = `Turn the “/” shortcut ${shortcutOn() ? "off" : "on"}`;
    });
  };
  const typing = (target) =>
    target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);

  const closeMenus = (except) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (menu !== except) menu.open = false;
    });
  };

  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details.menu"));
    if (event.target.closest("[data-theme-switch]")) {
      const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
      root.dataset.theme = next;
      write("theme", next);
      showTheme();
    }
    if (event.target.closest("[data-shortcut-switch]")) {
      write("shortcut", shortcutOn() ? "off" : "on");
      showShortcut();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const open = document.querySelector("details.menu[open]");
      closeMenus();
      if (open) open.querySelector("summary").focus();
      return;
    }
    const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented);
    if (event.key === "/" && plain && shortcutOn() && !typing(event.target)) {
      const field = document.querySelector("[data-search]");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    }
  });

  // --- Background requests -------------------------------------------------------------------
  // What is on the page stays; a line above it says that it may be old. What looks again by itself
  // goes on doing so, unless it was refused.
  const AGAIN_MS = 5000;
  const show = (id, shown) => {
    const line = document.getElementById(id);
    if (line) line.hidden = !shown;
  };
  const again = (part) => {
    if (part.isConnected) htmx.ajax("GET", part.getAttribute("hx-get"), { source: part });
  };
  ["htmx:responseError", "htmx:sendError", "htmx:timeout"].forEach((name) =>
    document.addEventListener(name, (event) => {
      const { elt, xhr } = event.detail;
      // Too slow (408) or too often (429) is no word on the page: it looks again.
      const refused = xhr.status >= 400 && xhr.status < 500 && ![408, 429].includes(xhr.status);
      show(refused ? "request-refused" : "request-failed", true);
      const looks = (elt.getAttribute("hx-trigger") || "").startsWith("load");
      if (looks && !refused) setTimeout(again, AGAIN_MS, elt);
    }),
  );
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.xhr.status < 400) show("request-failed", false);
  });

  const start = () => {
    showTheme();
    showShortcut();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
