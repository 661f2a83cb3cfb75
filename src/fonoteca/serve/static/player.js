// One track at a time, and the next one when it ends. Without this script every player still works by itself.
"use strict";
const players = [...document.querySelectorAll("audio")];
for (const [index, player] of players.entries()) {
  player.addEventListener("play", () => {
    for (const other of players) {
      if (other !== player) other.pause();
    }
    player.closest("li")?.classList.add("playing");
  });
  for (const end of ["pause", "ended"]) {
    player.addEventListener(end, () => player.closest("li")?.classList.remove("playing"));
  }
  player.addEventListener("ended", () => players[index + 1]?.play());
}
