// What a person says of the graph, as it is sent and taken back.
import type { DecisionList, DecisionView } from "../types.gen";
import { getJson } from "./api";

export interface Said {
  readonly call_id: string;
  readonly kind: "opened_by" | "trace" | "apart" | "cut";
  readonly other?: string;
  readonly edge_type?: string;
}

/** A change proves that it comes from this page: no form can send these. */
const CHANGE = { "content-type": "application/json", "x-anton": "1" };

export const decide = {
  of: (callId: string, signal?: AbortSignal) => getJson<DecisionList>(`/api/decisions?call=${encodeURIComponent(callId)}`, signal),
  say: (said: Said) => getJson<DecisionView>("/api/decisions", undefined, { method: "POST", headers: CHANGE, body: JSON.stringify(said) }),
  takeBack: (decisionId: string) => getJson<DecisionView>(`/api/decisions/${decisionId}`, undefined, { method: "DELETE", headers: CHANGE }),
};
