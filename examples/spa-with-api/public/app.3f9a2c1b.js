// Draws the page for the address that the browser shows.
const view = document.getElementById("view");

async function draw() {
  const note = location.pathname.match(/^\/notes\/(\d+)$/);
  if (location.pathname === "/") {
    view.textContent = "Choose a note.";
  } else if (note) {
    const answer = await fetch(`/api/notes/${note[1]}`);
    const { text } = await answer.json();
    view.textContent = text;
  } else {
    view.textContent = `Nothing is at ${location.pathname}.`;
  }
  document.title = view.textContent;
}

// A link of this page changes the address; nothing is loaded.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link && link.origin === location.origin && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    history.pushState(null, "", link.href);
    draw();
  }
});
addEventListener("popstate", draw);
draw();
