// Before the first paint, so that who chose a theme sees no other one: not a module, which would come later.
document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "auto";

// A browser on the node itself drops what it is loading whenever a pod gets its interface (ERR_NETWORK_CHANGED): once more, then.
addEventListener("error", ({ target }) => target.matches?.("script, link") && setTimeout(() => location.reload(), 500), true);
