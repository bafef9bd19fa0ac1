"use strict";
// The page of a visit without a net: what is filled in is kept in this browser until the server has taken it.
// The server keeps an answer or photo that comes twice once, so whatever was not answered is sent again.
const told = document.getElementById("kept");
const sheet = document.getElementById("sheet");
const review = told.dataset.review;
const here = location.pathname;
let sending = false;

const opened = new Promise((resolve, reject) => {
  const asked = indexedDB.open("visit", 1);
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore("answers", { keyPath: ["review", "item"] });
    asked.result.createObjectStore("photos", { keyPath: "id", autoIncrement: true });
  };
  asked.onsuccess = () => resolve(asked.result);
  asked.onerror = () => reject(asked.error);
});

async function store(name, mode, work) {
  const database = await opened;
  return new Promise((resolve, reject) => {
    const done = database.transaction(name, mode);
    const asked = work(done.objectStore(name));
    done.oncomplete = () => resolve(asked && asked.result);
    done.onerror = done.onabort = () => reject(done.error);
  });
}

async function waiting(name) {
  const found = await store(name, "readonly", (of) => of.getAll());
  return found.filter((one) => one.review === review);
}

async function show(late = "") {
  const answers = await waiting("answers");
  const photos = await waiting("photos");
  for (const list of document.querySelectorAll("[data-taken]")) {
    list.replaceChildren(...photos.filter((one) => one.item === list.dataset.taken).map((one) => {
      const line = document.createElement("li");
      line.textContent = `${one.name} …`;
      return line;
    }));
  }
  const open = answers.filter((one) => !one.result).map((one) => one.item).sort((a, b) => a - b);
  const count = answers.length - open.length + photos.length;
  told.classList.toggle("late", count + open.length > 0);
  const without = open.length ? `${told.dataset.without}${open.join(", ")} ` : "";
  told.textContent = (count ? `${told.dataset.waiting}${count} ` : open.length ? "" : told.dataset.sent) + without + late;
  told.dataset.count = String(count);
  told.dataset.open = String(open.length);
}

function answerOf(item) {
  const chosen = sheet.querySelector(`input[name="item_${item}"]:checked`);
  const remark = sheet.querySelector(`textarea[name="remark_${item}"]`);
  return { review, item, result: chosen ? chosen.value : "", remark: remark.value, at: Date.now() };
}

async function keep(item) {
  const answer = answerOf(item);  // a remark without a result is kept here, and sent once a result is chosen
  const nothing = !answer.result && !answer.remark;
  await store("answers", "readwrite", (of) => (nothing ? of.delete([review, item]) : of.put(answer)));
  await show();
}

async function keepPhotos(input) {
  for (const file of input.files) {
    const content = await file.arrayBuffer();
    const photo = { review, item: input.dataset.photo, name: file.name, type: file.type, content };
    await store("photos", "readwrite", (of) => of.add(photo));
  }
  input.value = "";
  await show();
  await send();
}

async function fill() {
  for (const one of await waiting("answers")) {
    const chosen = sheet.querySelector(`input[name="item_${one.item}"][value="${one.result}"]`);
    const remark = sheet.querySelector(`textarea[name="remark_${one.item}"]`);
    if (chosen) chosen.checked = true;
    if (remark) remark.value = one.remark;
  }
}

// The token of the session as it is now; null where nobody is signed in.
async function token() {
  const answer = await fetch(here, { cache: "no-store" });
  if (!answer.ok || answer.redirected) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.querySelector('#sheet input[name="csrf"]');
  return found && found.value;
}

async function post(path, facts) {
  const body = new FormData();
  for (const [name, value] of Object.entries(facts)) body.append(name, value);
  const answer = await fetch(`/reviews/${review}/${path}`, { method: "POST", body });
  if (answer.ok && !new URL(answer.url).pathname.startsWith("/sign-in")) return "";
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const why = page.querySelector("main p, main pre");
  return (why && why.textContent.trim()) || String(answer.status);
}

async function send() {
  if (sending) return;
  sending = true;
  let late = "";
  try {
    const answers = (await waiting("answers")).filter((one) => one.result);
    const photos = await waiting("photos");
    const csrf = answers.length + photos.length ? await token() : "";
    if (csrf === null) {
      late = told.dataset.signedOut;
    } else {
      late = await sendAnswers(csrf, answers) || await sendPhotos(csrf, photos);
      if (late) late = told.dataset.refused + late;
    }
  } catch {
    late = "";  // no net: it waits
  } finally {
    sending = false;
  }
  await show(late);
}

async function sendAnswers(csrf, answers) {
  if (!answers.length) return "";
  const facts = { csrf };
  for (const one of answers) {
    facts[`item_${one.item}`] = one.result;
    facts[`remark_${one.item}`] = one.remark;
  }
  const refused = await post("items", facts);
  if (refused) return refused;
  for (const one of answers) {  // what was changed meanwhile stays
    const now = await store("answers", "readonly", (of) => of.get([one.review, one.item]));
    if (now && now.at === one.at) await store("answers", "readwrite", (of) => of.delete([one.review, one.item]));
  }
  return "";
}

async function sendPhotos(csrf, photos) {
  for (const one of photos) {
    const photo = new File([one.content], one.name, { type: one.type });
    const refused = await post("photos", { csrf, item: one.item, photo });
    if (refused) return refused;
    await store("photos", "readwrite", (of) => of.delete(one.id));
  }
  return "";
}

async function forget() {
  if ((told.dataset.count !== "0" || told.dataset.open !== "0") && !confirm(told.dataset.sure)) return;
  for (const one of await waiting("answers")) {
    await store("answers", "readwrite", (of) => of.delete([one.review, one.item]));
  }
  for (const one of await waiting("photos")) await store("photos", "readwrite", (of) => of.delete(one.id));
  await (await caches.open("visit")).delete(here);
  location.assign(`/reviews/${review}`);
}

async function begin() {
  sheet.inert = true;  // what is filled in before the sheet listens would be lost
  try {
    await fill();
    await show();
  } finally {
    sheet.inert = false;
  }
  sheet.addEventListener("change", (event) => {
    if (event.target.dataset.photo) keepPhotos(event.target);
    else keep(event.target.name.split("_")[1]).then(send);
  });
  sheet.addEventListener("input", (event) => {
    if (event.target.name && event.target.name.startsWith("remark_")) keep(event.target.name.split("_")[1]);
  });
  sheet.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  document.getElementById("forget").addEventListener("click", forget);
  addEventListener("online", send);
  setInterval(send, 20000);
  if ("serviceWorker" in navigator) {
    await navigator.serviceWorker.register("/reviews/worker.js", { scope: "/reviews/" });
    const parts = [...document.querySelectorAll("link[href^='/assets/'], script[src^='/assets/']")];
    const kept = await caches.open("visit");
    if (navigator.onLine) await kept.addAll([here, ...parts.map((one) => one.getAttribute("href") || one.getAttribute("src"))]);
    told.dataset.ready = "yes";
  }
  await send();
}

begin();
