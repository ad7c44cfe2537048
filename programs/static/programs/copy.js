/* A button that copies the address beside it. Without this script the address is copied by hand. */
for (const line of document.querySelectorAll("[data-copy-from]")) {
  const source = document.getElementById(line.dataset.copyFrom);
  const told = line.querySelector("[data-copied]");
  if (!navigator.clipboard) continue;
  line.hidden = false;
  line.querySelector("button").addEventListener("click", async () => {
    source.select();
    await navigator.clipboard.writeText(source.value);
    told.textContent = told.dataset.copied;
  });
}
