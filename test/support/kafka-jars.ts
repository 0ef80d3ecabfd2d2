import { mavenClassPath } from './maven-jars.js';

const KAFKA_VERSION = '4.1.0';

const DEPENDENCIES = `
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>${KAFKA_VERSION}</version>
      <!-- Connect and its web server; what the tools we run need comes with the broker. -->
      <exclusions>
        <exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
`;

/**
 * Answers the Java class path of Apache Kafka and its command-line tools, downloading it once with Maven (43 MB).
 *
 * Throws when Maven is missing or cannot download.
 */
export function kafkaClassPath(): Promise<string> {
  return mavenClassPath(`kafka-and-tools-${KAFKA_VERSION}`, DEPENDENCIES);
}
