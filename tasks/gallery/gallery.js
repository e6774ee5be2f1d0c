document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const relation = { ArrowLeft: "prev", k: "prev", ArrowRight: "next", j: "next", u: "up" }[event.key];
  if (relation) document.querySelector(`a[rel~="${relation}"]`)?.click();
  if (event.key === "/") {
    const search = document.querySelector("input[name=words]");
    if (search) { event.preventDefault(); search.focus(); }
  }
});
