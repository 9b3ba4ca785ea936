// Makes the three a replica set and dcron's user in it, once; ends when there is a primary. Run it as often as you like.
const fs = require("fs");
const secret = (name) => fs.readFileSync(`/run/secrets/${name}`, "utf8").trim();
const tls = "tls=true&tlsCAFile=/run/secrets/ca.crt&tlsCertificateKeyFile=/run/secrets/own.pem";
const first = new Mongo(`mongodb://root:${secret("mongo-root-password")}@mongo-1:27017/admin?directConnection=true&${tls}`);
const admin = first.getDB("admin");

try {
  admin.runCommand({ replSetGetStatus: 1 }).ok || initiate();
} catch (error) {
  initiate();
}

function initiate() {
  const members = [1, 2, 3].map((n) => ({ _id: n - 1, host: `mongo-${n}:27017` }));
  const answer = admin.runCommand({ replSetInitiate: { _id: "dcron", members } });
  if (!answer.ok) throw new Error(JSON.stringify(answer));
}

while (!admin.runCommand({ hello: 1 }).primary) sleep(500);

const all = new Mongo(
  `mongodb://root:${secret("mongo-root-password")}@mongo-1:27017,mongo-2:27017,mongo-3:27017/admin?replicaSet=dcron&${tls}`,
);
const cron = all.getDB("cron");
if (!cron.getUser("dcron")) {
  cron.createUser({ user: "dcron", pwd: secret("mongo-password"), roles: [{ role: "readWrite", db: "cron" }] });
}
