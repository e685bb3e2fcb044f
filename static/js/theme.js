// Runs before the first paint, so that a chosen theme never flashes the other one.
// Same key and words as Django admin's own switch ("auto", "light", "dark").
(function () {
  "use strict";
  var choice = null;
  try {
    choice = localStorage.getItem("theme");
  } catch (error) {
    // Storage is switched off: the operating system's choice stands.
  }
  var known = choice === "light" || choice === "dark";
  document.documentElement.dataset.theme = known ? choice : "auto";
})();
