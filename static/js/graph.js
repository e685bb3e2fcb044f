// A graph that is wider than the screen begins with the entity that was asked for in its middle.
(function () {
  "use strict";

  const graph = document.querySelector(".graph-wrap");
  const centre = graph && graph.querySelector(".graph__node--centre rect");
  if (!centre) return;
  const box = centre.getBoundingClientRect();
  const frame = graph.getBoundingClientRect();
  graph.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
  graph.scrollTop += box.top - frame.top - (frame.height - box.height) / 2;
})();
