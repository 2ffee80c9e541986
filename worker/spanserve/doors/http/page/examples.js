/** Texts to try, each with a question. Those in the reader's language are offered first. */
export const EXAMPLES = [
  {
    language: "en",
    title: "A harbour town",
    context:
      "Port Ellery is a harbour town of about 4,300 people on the north side of Ellery Bay. Its houses are painted " +
      "in bright colours, a custom that began in 1871, when the council asked fishermen to mark their homes so that " +
      "crews returning in fog could tell one street from another.",
    question: "When did the custom of painting the houses begin?",
  },
  {
    language: "en",
    title: "Cooling water",
    context:
      "Water behaves oddly when it cools. Most liquids shrink steadily until they freeze, but water is densest at " +
      "about 4 °C and expands again as it gets colder. When it turns to ice its volume grows by roughly 9 per cent, " +
      "because its molecules lock into an open, six-sided pattern that leaves more empty space.",
    question: "By how much does the volume of water grow when it turns to ice?",
  },
  {
    language: "en",
    title: "Pictures 🍲",
    context:
      "At the Picture Café the menu has no words. 👩🏿‍🍳 stands for the cook’s choice and costs 12 €, 🍲 is the soup of " +
      "the day, and 🥐☕ is breakfast. A family 👨‍👩‍👧‍👦 eats for the price of three. The owner, Ingrid Øst, answers every " +
      "complaint with 🤷🏽‍♀️ and a free biscuit.",
    question: "Who is the owner of the Picture Café?",
  },
  {
    language: "zh",
    title: "登月",
    context:
      "1969年7月20日，阿姆斯特朗（Neil Armstrong）成为第一个登上月球的人，二十分钟后，奥尔德林（Buzz Aldrin）也踏上月面。" +
      "月球距离地球约38万千米🌕。",
    question: "第一个登上月球的人是谁？",
  },
  {
    language: "zh",
    title: "青石镇的桥",
    context:
      "青石镇坐落在白鹭河的东岸，镇上有一座建于1624年的石桥，名叫望月桥。石桥长四十二米，共有七个桥洞。桥头的茶馆由林秀英" +
      "经营，她每天清晨五点起床烧水，最有名的是桂花乌龙茶🍵。",
    question: "When was the stone bridge built? 石桥建于哪一年？",
  },
];
