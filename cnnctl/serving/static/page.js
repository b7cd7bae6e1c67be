"use strict";

const BARS = 10;
const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)}%`;
let model = null;
let current = null; // what is under way: a newer image takes its place
let seen = null; // the PNG of what the network sees

async function ask(path, body, signal) {
  let response;
  try {
    response = await fetch(path, body ? { method: "POST", body, signal } : { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer");
  }
  if (response.ok) return response;
  const reason = await response.json().catch(() => ({ error: `status ${response.status}` }));
  throw new Error(reason.hint ? `${reason.error} (${reason.hint})` : reason.error);
}

function show(id, text) {
  at(id).textContent = text;
  at(id).hidden = !text;
}

function picture(image, blob) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
}

async function classify(file) {
  current?.abort();
  current = new AbortController();
  const { signal } = current;
  seen = null;
  show("error", "");
  at("result").hidden = true;
  at("answer").textContent = "";
  at("maps").replaceChildren();
  show("why-status", "");
  if (model && file.size > model.limits.body_bytes) {
    show("error", `the file is larger than ${model.limits.body_bytes / 1e6} MB`);
    return;
  }
  show("status", "reading the image ...");
  try {
    const view = await (await ask("v1/view", file.slice(0, file.size, "application/octet-stream"), signal)).blob();
    const [row] = await (await ask(`v1/predict?top=${BARS}`, view, signal)).json();
    seen = view;
    at("sent").hidden = false;
    picture(at("original"), file);
    picture(at("seen"), view);
    draw(row);
    at("result").hidden = false;
    at("why").hidden = !model?.explains;
    at("explain").hidden = false;
  } catch (error) {
    if (error.name !== "AbortError") show("error", error.message);
  } finally {
    if (!signal.aborted) show("status", "");
  }
}

function draw(row) {
  const given = row.labels && row.labels.map((one) => one.label);
  const label = given ? given.join(", ") || "none of the classes" : row.label;
  const answer = `${label} (${percent(row.probability)})`;
  at("answer").textContent = row.unknown ? `unknown: unlike the training images; else ${answer}` : answer;
  const classes = model ? model.classes.length : row.top.length;
  const all = row.top.length >= classes;
  const shown = all ? "all classes" : `the ${row.top.length} most probable of ${classes} classes`;
  at("caption").textContent = given ? `${shown}. ${ofSeveral(row, given)}` : shown;
  at("bars").replaceChildren(...row.top.map((one, place) => bar(one, given ? given.includes(one.label) : !place, given)));
}

function ofSeveral(row, given) {
  const said = given.length ? "the ticked labels and no others" : "none of them";
  return `Each has a probability of its own, and the image gets those that reach their threshold, the line in the bar. ` +
    `That it has ${said}: ${percent(row.probability)}.`;
}

function bar({ label, probability }, isAnswer, given) {
  const row = document.createElement("tr");
  row.className = isAnswer ? "answer" : "";
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = given && isAnswer ? `\u2713 ${label}` : label; // of several labels, those that it gets
  if (/\S{21}/.test(label)) name.className = "long"; // a shorter word stays whole on a phone
  const number = document.createElement("td");
  number.className = "number";
  number.textContent = percent(probability);
  const cell = document.createElement("td");
  cell.className = "bar";
  cell.ariaHidden = "true";
  const length = document.createElement("i");
  length.style.width = percent(probability);
  cell.append(length);
  const threshold = model?.thresholds?.[model.classes.indexOf(label)];
  if (threshold !== undefined) {
    const line = document.createElement("s");
    line.style.left = percent(threshold);
    cell.append(line);
  }
  row.append(name, number, cell);
  return row;
}

async function explain() {
  if (!seen) return;
  const { signal } = current;
  at("explain").disabled = true;
  show("why-status", "computing; the first time loads Keras, which takes some seconds ...");
  try {
    const { maps } = await (await ask("v1/explain", seen, signal)).json();
    at("maps").replaceChildren(...maps.map(map));
    at("explain").hidden = true;
    show("why-status", "Bright places raise the score of a class, whether or not a person would look there.");
  } catch (error) {
    if (error.name !== "AbortError") show("why-status", error.message);
  } finally {
    at("explain").disabled = false;
  }
}

function map({ label, probability, silent, picture: source }) {
  const figure = document.createElement("figure");
  const image = document.createElement("img");
  image.src = source;
  image.alt = `Where the network sees ${label}`;
  const words = document.createElement("figcaption");
  words.textContent = `${label} ${percent(probability)}${silent ? ": no position raises its score" : ""}`;
  figure.append(image, words);
  return figure;
}

function take(files) {
  const file = [...(files ?? [])].find((one) => one.type.startsWith("image/")) ?? files?.[0];
  if (file) classify(file);
}

for (const id of ["file", "camera"]) {
  at(id).addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = ""; // the same file may be chosen again
  });
}
document.addEventListener("paste", (event) => take(event.clipboardData?.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  take(event.dataTransfer?.files);
});
at("original").addEventListener("error", () => (at("sent").hidden = true)); // a format that browsers do not show
at("explain").addEventListener("click", explain);

ask("v1/model")
  .then((response) => response.json())
  .then((found) => {
    model = found;
    const { height, width, channels } = found.input;
    document.title = `${found.run} - cnnctl serve`;
    at("run").textContent = found.run;
    const several = found.thresholds ? ", of which an image may have several" : "";
    at("about").textContent = `An image classifier with ${found.classes.length} classes${several}.`;
    at("size").textContent = `${height}x${width}, ${channels === 1 ? "grey" : "in colour"}`;
  })
  .catch((error) => show("error", error.message));
