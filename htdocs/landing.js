// The examples name the host that this page came from.
for (const base of document.querySelectorAll(".base")) base.textContent = location.origin;
