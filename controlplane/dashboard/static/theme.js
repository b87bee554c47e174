// Before the first paint, so that who chose a theme sees no other one: not a module, which would come later.
document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "auto";
