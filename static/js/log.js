// A log that grows: stays at its end until the reader scrolls up, and comes back on "Follow".
(() => {
  const log = document.querySelector("[data-log]");
  const button = document.querySelector("[data-follow]");
  if (!log || !button) return;

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const moving = () => document.getElementById("build-log-more") !== null;
  let following = moving() && !location.hash;

  const show = () => {
    button.hidden = !moving();
    button.setAttribute("aria-pressed", String(following));
    button.textContent = following ? "Following" : "Follow";
  };
  const toEnd = () => {
    log.scrollTop = log.scrollHeight;
  };

  log.addEventListener("scroll", () => {
    following = atEnd();
    show();
  });
  button.addEventListener("click", () => {
    following = !following;
    if (following) toEnd();
    show();
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    if (following) toEnd();
    show();
  });
  if (following) toEnd();
  show();
})();
