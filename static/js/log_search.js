// Search within a log, and folds that open and close. Lines that arrive later take part.
(() => {
  const log = document.querySelector("[data-log]");
  const box = document.querySelector("[data-log-search]");
  if (!log || !box) return;

  const query = box.querySelector("[data-log-query]");
  const found = box.querySelector("[data-log-found]");
  let hits = [];
  let current = -1;

  // --- Folds ---
  const inside = (fold) => log.querySelectorAll(`[data-in="${fold}"]`);
  const set = (head, open) => {
    head.classList.toggle("log__fold--closed", !open);
    head.querySelector("button").setAttribute("aria-expanded", String(open));
    for (const line of inside(head.dataset.fold)) line.hidden = !open;
  };
  const makeFolds = () => {
    for (const head of log.querySelectorAll("[data-fold]:not([data-ready])")) {
      head.dataset.ready = "";
      const text = head.querySelector(".log__text");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "log__toggle";
      button.append(...text.childNodes);
      button.addEventListener("click", () =>
        set(head, head.classList.contains("log__fold--closed")),
      );
      text.append(button);
      set(head, true);
    }
    for (const head of log.querySelectorAll(".log__fold--closed")) set(head, false);
  };
  const reveal = (line) => {
    const head = line.dataset.in && document.getElementById(`L${line.dataset.in}`);
    if (head) set(head, true);
  };

  // --- Search ---
  const show = (step) => {
    log.querySelector(".log__hit--current")?.classList.remove("log__hit--current");
    if (!hits.length) return;
    current = (current + step + hits.length) % hits.length;
    const line = hits[current];
    reveal(line);
    line.classList.add("log__hit--current");
    line.scrollIntoView({ block: "center" });
    found.textContent = `${current + 1} of ${hits.length}`;
  };
  const search = () => {
    const words = query.value.trim().toLowerCase();
    hits = [];
    for (const line of log.querySelectorAll("li[id]")) {
      const text = line.querySelector(".log__text");
      const hit = words !== "" && text !== null && text.textContent.toLowerCase().includes(words);
      line.classList.toggle("log__hit", hit);
      if (hit) hits.push(line);
    }
    found.textContent = words === "" ? "" : hits.length ? `${hits.length} lines` : "None";
  };

  let waiting;
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      current = -1;
      search();
    }, 150);
  });
  query.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    show(event.shiftKey ? -1 : 1);
  });
  box.querySelector("[data-log-next]").addEventListener("click", () => show(1));
  box.querySelector("[data-log-previous]").addEventListener("click", () => show(-1));
  document.body.addEventListener("htmx:afterSettle", () => {
    makeFolds();
    if (query.value) search();
  });

  box.hidden = false;
  makeFolds();
  const named = location.hash && document.getElementById(location.hash.slice(1));
  if (named && log.contains(named)) reveal(named);
})();
