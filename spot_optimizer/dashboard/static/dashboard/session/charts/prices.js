// Fetches the price history of an evaluation's two pools and shows it.

import { get } from "../../api.js";
import { PriceChart, tableRows } from "./pricechart.js";

const WEEK = 7 * 86_400_000; // [ms]
const MOST_PAGES = 10;
const SAME = 1e-9; // [USD/h]

/** Fill the card; `products` are the systems that prices are known of, the likeliest first. */
export async function showPrices(card, { products }) {
  const told = JSON.parse(card.querySelector("script").textContent);
  const until = Date.parse(told.market_as_of);
  const span = [until - WEEK, until];
  const say = (text) => (card.querySelector("[data-message]").textContent = text);
  say("Loading the prices of seven days…");
  try {
    const series = await Promise.all(told.pools.map((pool) => seriesOf(pool, span, products)));
    draw(card, series, span);
    const missing = series.filter(({ changes }) => !changes.length).map(({ name }) => name);
    say(missing.length ? `No price history is known of ${missing.join(" and ")}.` : "");
  } catch (refusal) {
    say(`The price history cannot be shown. ${refusal.detail ?? "Load this page again."}`);
  }
}

function draw(card, series, span) {
  const box = card.querySelector("[data-chart]");
  const isKnown = series.some(({ changes }) => changes.length);
  box.hidden = card.querySelector("details").hidden = !isKnown;
  new PriceChart(box, card.querySelector("[data-said]")).show(series, span);
  card.querySelector("tbody").replaceChildren(...tableRows(series));
}

async function seriesOf(pool, span, products) {
  const named = { name: pool.name, kind: pool.kind };
  if (pool.purchase === "on_demand") {
    return { ...named, changes: pool.price == null ? [] : [{ at: span[0], price: pool.price }] };
  }
  for (const product of products) {
    const changes = await changesOf(pool, span, product);
    // The answer does not say what runs on the machine; the price it was judged by does.
    if (changes.length && Math.abs(changes.at(-1).price - pool.price) < SAME) {
      return { ...named, changes };
    }
  }
  return { ...named, changes: [] };
}

async function changesOf(pool, span, product) {
  const query = new URLSearchParams({
    region: pool.region,
    instance_type: pool.instance_type,
    availability_zone_id: pool.availability_zone_id,
    product,
    from: new Date(span[0]).toISOString(),
    to: pool.until,
    limit: 200,
  });
  let next = `/api/v1/market/history?${query}`;
  const changes = [];
  for (let page = 0; next && page < MOST_PAGES; page += 1) {
    const told = await history(next);
    changes.push(...told.results.map(({ at, price }) => ({ at: Date.parse(at), price })));
    next = told.next && new URL(told.next).pathname + new URL(told.next).search;
  }
  return changes.reverse(); // the API tells the newest first
}

async function history(path) {
  try {
    return await get(path);
  } catch (refusal) {
    // Nothing known of such a pool with this system: another system, or none.
    if (refusal.status === 400) return { results: [], next: null };
    throw refusal;
  }
}
