// Runs before the first paint: a dark page must not flash white. Everything else is in modules.
(() => {
  const wanted = (() => {
    try {
      return localStorage.getItem("wenju.theme");
    } catch {
      return null; // storage is switched off: follow the system
    }
  })();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = wanted === "light" || wanted === "dark" ? wanted : dark.matches ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
})();
