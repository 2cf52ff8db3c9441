// Fetches and shows the price history of an evaluation's two pools.

import { get } from "../../api.js";
import { PriceChart, tableRows } from "./pricechart.js";

const WEEK = 7 * 86_400_000; // [ms]
const MAX_PAGES = 10;
const SAME = 1e-9; // [USD/h]

/** Fill the card; `products` are the product descriptions to try, the most likely first. */
export async function showPrices(card, { products }) {
  const evaluation = JSON.parse(card.querySelector("script").textContent);
  const until = Date.parse(evaluation.market_as_of);
  const span = [until - WEEK, until];
  const setMessage = (text) => (card.querySelector("[data-message]").textContent = text);
  setMessage("Loading seven days of prices…");
  try {
    const series = await Promise.all(evaluation.pools.map((pool) => seriesOf(pool, span, products)));
    draw(card, series, span);
    const missing = series.filter(({ changes }) => !changes.length).map(({ name }) => name);
    setMessage(missing.length ? `No price history for ${missing.join(" and ")}.` : "");
  } catch (error) {
    setMessage(`The price history cannot be loaded. ${error.detail ?? "Reload the page."}`);
  }
}

function draw(card, series, span) {
  const box = card.querySelector("[data-chart]");
  const isKnown = series.some(({ changes }) => changes.length);
  box.hidden = card.querySelector("details").hidden = !isKnown;
  new PriceChart(box, card.querySelector("[data-announcement]")).show(series, span);
  card.querySelector("tbody").replaceChildren(...tableRows(series));
}

async function seriesOf(pool, span, products) {
  const named = { name: pool.name, kind: pool.kind };
  if (pool.purchase === "on_demand") {
    return { ...named, changes: pool.price == null ? [] : [{ at: span[0], price: pool.price }] };
  }
  for (const product of products) {
    const changes = await changesOf(pool, span, product);
    // The evaluation does not contain the product; its price shows which one it used.
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
  for (let page = 0; next && page < MAX_PAGES; page += 1) {
    const data = await history(next);
    changes.push(...data.results.map(({ at, price }) => ({ at: Date.parse(at), price })));
    next = data.next && new URL(data.next).pathname + new URL(data.next).search;
  }
  return changes.reverse(); // the API returns the newest first
}

async function history(path) {
  try {
    return await get(path);
  } catch (error) {
    // No history of the pool for this product.
    if (error.status === 400) return { results: [], next: null };
    throw error;
  }
}
