/** `brink router calibrate`: sets the router's threshold by the operator's own labels. */
import type { RouterState } from "../src/pipeline/learning-types.ts";
import { type Client, connect, ReplyError } from "./client.ts";
import { type Command, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { ASK_OPTIONS, judgeAll } from "./router-ask.ts";
import { DATA_HELP, DATA_OPTIONS, readLabelled } from "./router-data.ts";
import { describeState } from "./router-state.ts";

export const routerCalibrate: Command = {
  name: "router calibrate",
  args: "[--data FILE]",
  summary: "Set the router's threshold by your own labelled questions.",
  description:
    `${DATA_HELP}\n` +
    "The edge is asked each question, and the threshold becomes the greatest that the labels\n" +
    "support: the bound holds for questions like these, if none of them made the weights.\n" +
    "Without --data the labels are those that the service collected by comparing answers with\n" +
    "a backend's (router set --shadow-rate), ratings left out, and --json has null for the\n" +
    "questions, answers, wrong and abstained that it counts with --data. Each call makes a\n" +
    "version: npx brink router rollback VERSION goes back.",
  options: {
    ...DATA_OPTIONS,
    add: { type: "boolean", help: "keep the labels that are there" },
    ...ASK_OPTIONS,
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const client = connect(values);
    if (values.data === undefined) {
      const status = await calibrateByCollected(client);
      if (!values.json) console.log(describeState(status));
      return { questions: null, answers: null, wrong: null, abstained: null, status };
    }
    const data = await readLabelled(values);
    const judged = await judgeAll(client, data, values);
    const answers = judged.filter(({ answer }) => answer !== null);
    const labels = answers.map(({ difficulty, wrong }) => ({ difficulty, wrong }));
    const abstained = judged.length - answers.length;
    const body = { labels, abstained, replace: values.add !== true };
    const reply = await client.call("POST", "/admin/router/calibrate", body);
    const status = reply as RouterState;
    const wrong = labels.filter((label) => label.wrong).length;
    if (!values.json)
      console.log(
        `${judged.length} questions: ${answers.length} answers, ${wrong} of them wrong, ` +
          `${abstained} abstentions\n${describeState(status)}`,
      );
    return { questions: judged.length, answers: answers.length, wrong, abstained, status };
  },
};

/** Without labels it is refused, and what then helps is a command. */
async function calibrateByCollected(client: Client): Promise<RouterState> {
  try {
    return (await client.call("POST", "/admin/router/calibrate", {})) as RouterState;
  } catch (error) {
    if (error instanceof ReplyError && error.code === "invalid_request")
      error.remedy =
        "npx brink router set --shadow-rate 0.05 has one answer in twenty compared, which a " +
        "backend is paid for; or give labels of your own by --data";
    throw error;
  }
}
