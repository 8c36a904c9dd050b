// Open-loop load for `python -m eval torture load`: so many requests a second, whatever comes back.
import http from "k6/http";
import { Counter, Trend } from "k6/metrics";
import { SharedArray } from "k6/data";
import exec from "k6/execution";

const questions = new SharedArray("questions", () => JSON.parse(open(__ENV.QUESTIONS)));
const ok = new Counter("answered");
const refused = new Counter("refused");
const failed = new Counter("failed");
const silent = new Counter("silent");
const accepted = new Trend("accepted");
const refusing = new Trend("refusing");

const rate = Number(__ENV.RATE);
const scenarios = {
  short: {
    executor: "constant-arrival-rate",
    rate: Math.max(1, Math.round(rate * 60)),
    timeUnit: "60s",
    duration: __ENV.DURATION,
    preAllocatedVUs: 300,
    maxVUs: 1500,
    gracefulStop: "60s",
  },
};
if (__ENV.LONG === "1") {
  scenarios.long = { executor: "constant-vus", vus: 1, duration: __ENV.DURATION, exec: "long", gracefulStop: "60s" };
}
export const options = {
  scenarios,
  discardResponseBodies: true,
  summaryTrendStats: ["avg", "med", "p(95)", "p(99)", "max", "count"],
};

function send(path, body) {
  const reply = http.post(`${__ENV.ADDRESS}${path}`, JSON.stringify(body), {
    headers: { "Content-Type": "application/json" },
    timeout: "55s",
  });
  if (reply.status === 200) {
    ok.add(1);
    accepted.add(reply.timings.duration);
  } else if (reply.status === 503 && Number(reply.headers["Retry-After"]) >= 1) {
    refused.add(1);
    refusing.add(reply.timings.duration);
  } else if (reply.status === 0) {
    silent.add(1);
    console.error(`no answer: ${reply.error}`);
  } else {
    failed.add(1);
  }
}

export default function () {
  const at = exec.scenario.iterationInTest;
  // A number makes each question another one, so that none is answered from what is kept.
  const question = `${questions[at % questions.length]} ${at}`.slice(-500);
  send(at % 3 ? "/v1/search" : "/v1/ask", { question });
}

export function long() {
  const at = exec.scenario.iterationInTest;
  const question = (questions.join(" ") + at).slice(-(500 - (at % 50)));
  send("/v1/ask", { question, top_k: 50 });
}

export function handleSummary(data) {
  return { [__ENV.OUT]: JSON.stringify(data.metrics) };
}
