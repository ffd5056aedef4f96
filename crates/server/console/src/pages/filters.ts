// Which tasks the inbox lists and the review page claims.
import type { TaskFilter } from "../api";
import { store } from "../store";

export const filters = store<TaskFilter>({});
